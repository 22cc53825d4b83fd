// One timer for everything on the page that changes by itself; it rests while the page is hidden.

type Tick = (now: number) => void;

const ticks = new Set<Tick>();
let timer: number | undefined;

/** Calls `tick` about once a second with the time in Unix seconds; returns how to stop. */
export function everySecond(tick: Tick): () => void {
  ticks.add(tick);
  run();
  return () => {
    ticks.delete(tick);
    run();
  };
}

function run(): void {
  const wanted = ticks.size > 0 && !document.hidden;
  if (wanted && timer === undefined) timer = window.setInterval(beat, 1000);
  if (!wanted && timer !== undefined) {
    clearInterval(timer);
    timer = undefined;
  }
}

function beat(): void {
  const now = Date.now() / 1000;
  for (const tick of ticks) tick(now);
}

document.addEventListener("visibilitychange", () => {
  run();
  if (!document.hidden) beat();
});
