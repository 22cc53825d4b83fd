// What a server's state is called; templates/macros.html says the same.
import { t } from "./language";

const WORDS: Readonly<Record<string, () => string>> = {
  live: () => t("live"),
  silent: () => t("silent"),
  waiting: () => t("waiting"),
  revoked: () => t("revoked"),
};

export function stateWord(state: string): string {
  return WORDS[state]?.() ?? state;
}
