// Tells charts, whose canvas knows no style sheet, that the page turned light or dark.

const watchers = new Set<() => void>();

new MutationObserver(() => {
  for (const watcher of watchers) watcher();
}).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });

export function watchTheme(tell: () => void): () => void {
  watchers.add(tell);
  return () => watchers.delete(tell);
}
