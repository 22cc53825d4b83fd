// What a page with charts has besides app.ts.
import "./reader";
import "./charts/chart";
import "./charts/figure";
import "./charts/range-picker";
import "./charts/server-state";
import "./host/embed";
import "./host/host";
import "./host/part";
