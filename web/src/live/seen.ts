// Leaves work undone until its element comes near the screen.

const watched = new WeakMap<Element, (seen: boolean) => void>();
const observer = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) watched.get(entry.target)?.(entry.isIntersecting);
  },
  { rootMargin: "200px" },
);

/** Tells whenever the element comes near the screen or leaves it; returns how to stop. */
export function watchSeen(element: Element, tell: (seen: boolean) => void): () => void {
  watched.set(element, tell);
  observer.observe(element);
  return () => {
    watched.delete(element);
    observer.unobserve(element);
  };
}

/** Calls once, the first time the element comes near the screen. */
export function whenSeen(element: Element, once: () => void): () => void {
  const stop = watchSeen(element, (seen) => {
    if (!seen) return;
    stop();
    once();
  });
  return stop;
}
