// Sets light or dark before the first paint; "auto" follows the system, also when that changes later.

const KEY = "pudim-theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

function apply(): void {
  const chosen = localStorage.getItem(KEY);
  const theme = chosen === "light" || chosen === "dark" ? chosen : dark.matches ? "dark" : "light";
  document.documentElement.setAttribute("data-bs-theme", theme);
}

apply();
dark.addEventListener("change", apply);
addEventListener("storage", apply);
addEventListener("pudim-theme", apply);
export {};
