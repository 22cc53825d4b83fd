// What needs somebody on a host, in few words; templates/servers/list.html says it in the same ones.

export interface Sign {
  readonly total: number;
  readonly bad: number;
  readonly old: boolean;
}

export interface Trouble {
  readonly kind: string;
  readonly words: string;
  readonly old: boolean;
}

const KINDS: readonly (readonly [kind: string, word: string, how: string])[] = [
  ["containers", "container", "bad"],
  ["units", "unit", "failed"],
  ["checks", "check", "down"],
  ["disks", "disk", "failing"],
];

export function troubles(signs: Readonly<Record<string, Sign>>): Trouble[] {
  return KINDS.flatMap(([kind, word, how]) => {
    const sign = signs[kind];
    if (!sign?.bad) return [];
    const words = `${sign.bad} ${word}${sign.bad === 1 ? "" : "s"} ${how}${sign.old ? " (old)" : ""}`;
    return [{ kind, words, old: sign.old }];
  });
}
