// htmx for pages whose forms change a part of the page; it sends the CSRF token with each request.
import htmx from "htmx.org";

htmx.config.includeIndicatorStyles = false; // an inline style, which the page's policy forbids
htmx.config.allowEval = false;
htmx.config.selfRequestsOnly = true;
htmx.config.historyCacheSize = 0;
// A form that is refused comes back with what to change beside its fields.
htmx.config.responseHandling = [
  { code: "204", swap: false },
  { code: "[23]..|409|422|429", swap: true },
  { code: "[45]..", swap: false, error: true },
];
htmx.config.attributesToSettle = ["class", "width", "height"]; // not "style", for the same reason

document.addEventListener("htmx:configRequest", (event) => {
  const token = document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content;
  const { headers } = (event as CustomEvent<{ headers: Record<string, string> }>).detail;
  if (token) headers["X-CSRF-Token"] = token;
});
