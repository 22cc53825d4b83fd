// What needs somebody on a host, in few words; templates/servers/list.html says it in the same ones.
import { many, t } from "./language";

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

const KINDS: readonly (readonly [kind: string, words: (bad: number) => string])[] = [
  ["containers", (bad) => many("%(count)s container bad", "%(count)s containers bad", bad)],
  ["units", (bad) => many("%(count)s unit failed", "%(count)s units failed", bad)],
  ["checks", (bad) => many("%(count)s check down", "%(count)s checks down", bad)],
  ["disks", (bad) => many("%(count)s disk failing", "%(count)s disks failing", bad)],
];

export function troubles(signs: Readonly<Record<string, Sign>>): Trouble[] {
  return KINDS.flatMap(([kind, say]) => {
    const sign = signs[kind];
    if (!sign?.bad) return [];
    const words = sign.old ? `${say(sign.bad)} ${t("(old)")}` : say(sign.bad);
    return [{ kind, words, old: sign.old }];
  });
}
