// What every page has.
import "./reader";
import "./elements/ago";
import "./elements/await-server";
import "./elements/choice";
import "./elements/copy";
import "./elements/countdown";
import "./elements/passkey";
import "./elements/server-list";
import "./elements/sparkline";
import "./elements/theme";
import "./elements/time-zone";
