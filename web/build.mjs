// Bundles src/ into pudim_web/static/ with content-hashed names, and writes manifest.json last, so that a
// half-finished build is never taken for a whole one.
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { build } from "esbuild";
import { PurgeCSS } from "purgecss";

const ROOT = import.meta.dirname;
const STATIC = join(ROOT, "pudim_web", "static");

// Tabler's sheet is 740 kB, of which a page uses a twelfth. Our own styles are not purged, so a class name
// that a template puts together from a variable must be ours.
const tablerInUse = {
  name: "tabler-in-use",
  setup(bundler) {
    bundler.onLoad({ filter: /@tabler[\\/]core[\\/]dist[\\/]css[\\/]tabler\.css$/ }, async ({ path }) => {
      const [sheet] = await new PurgeCSS().purge({
        css: [path],
        content: [join(ROOT, "pudim_web/templates/**/*.html"), join(ROOT, "src/**/*.ts")],
        variables: false,
        safelist: { standard: [/^:root/, "html", "body"], greedy: [/data-bs-theme/] },
      });
      return { contents: sheet.css, loader: "css" };
    });
  },
};

const COMMON = {
  absWorkingDir: ROOT,
  bundle: true,
  minify: true,
  write: false,
  target: "es2022",
  legalComments: "eof",
  logLevel: "warning",
  outdir: STATIC,
  entryNames: "[name]-[hash]",
  plugins: [tablerInUse],
};

const builds = await Promise.all([
  build({ ...COMMON, format: "esm", entryPoints: ["src/app.ts", "src/chart.ts", "src/htmx.ts", "src/app.css"] }),
  // The theme is set before the first paint, so it is a blocking classic script.
  build({ ...COMMON, format: "iife", entryPoints: ["src/theme.ts"] }),
]);

const built = builds.flatMap(({ outputFiles }) =>
  outputFiles.map(({ path, contents }) => ({ name: basename(path), contents })),
);
for (const name of await readdir(join(ROOT, "src", "images"))) {
  const contents = await readFile(join(ROOT, "src", "images", name));
  const hash = createHash("sha256").update(contents).digest("hex").slice(0, 8).toUpperCase();
  built.push({ name: name.replace(/(\.\w+)$/, `-${hash}$1`), contents });
}

await mkdir(STATIC, { recursive: true });
const manifest = {};
for (const { name, contents } of built) {
  manifest[name.replace(/-[0-9A-Z]{8}(\.\w+)$/, "$1")] = name;
  await writeFile(join(STATIC, name), contents);
}
const unfinished = join(STATIC, "manifest.json.part");
await writeFile(unfinished, `${JSON.stringify(manifest, Object.keys(manifest).sort(), 2)}\n`);
await rename(unfinished, join(STATIC, "manifest.json"));

const current = new Set([...Object.values(manifest), "manifest.json"]);
for (const name of await readdir(STATIC)) if (!current.has(name)) await rm(join(STATIC, name));
