// Runs tests/*.test.ts in node's own test runner; esbuild strips the types and bundles what they import.
import { spawnSync } from "node:child_process";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";

const ROOT = import.meta.dirname;
const OUT = join(ROOT, "node_modules", ".cache", `tests-${process.pid}`);
const tests = (await readdir(join(ROOT, "tests"))).filter((name) => name.endsWith(".test.ts"));

await build({
  absWorkingDir: ROOT,
  entryPoints: tests.map((name) => join("tests", name)),
  bundle: true,
  format: "esm",
  platform: "node",
  target: "es2022",
  sourcemap: "inline",
  outdir: OUT,
  outExtension: { ".js": ".mjs" },
});
const files = tests.map((name) => join(OUT, name.replace(/\.ts$/, ".mjs")));
const { status } = spawnSync(process.execPath, ["--test", "--enable-source-maps", ...files], { stdio: "inherit" });
await rm(OUT, { recursive: true, force: true });
process.exitCode = status ?? 1;
