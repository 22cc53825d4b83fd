// What every page has.
import "./elements/ago";
import "./elements/await-server";
import "./elements/copy";
import "./elements/countdown";
import "./elements/server-list";
import "./elements/sparkline";
import "./elements/theme";
