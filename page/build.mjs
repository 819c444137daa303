// Bundles the page: node build.mjs [FOLDER], which is the one in the package unless another is given.
import { build } from "esbuild";
import { copyFile, mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const folder = process.argv[2] ?? join(here, "..", "src", "hocket", "server", "page");
const STYLE = /<style\$\{[^]*?<\/style>/;

/**
 * wavesurfer.js writes a <style> into its shadow tree, which the page's policy forbids. It is left
 * out here; `src/recording/wave.ts` adopts a style sheet of the same rules instead.
 */
const withoutInlineStyle = {
  name: "without-inline-style",
  setup(bundler) {
    bundler.onLoad({ filter: /wavesurfer\.js\/dist\/renderer\.js$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      if (!STYLE.test(source)) throw new Error(`${path}: no <style>; look at wave.ts again`);
      return { contents: source.replace(STYLE, ""), loader: "js" };
    });
  },
};

await mkdir(folder, { recursive: true });
await build({
  absWorkingDir: here,
  entryPoints: [
    { in: "src/main.ts", out: "app" },
    { in: "src/live/microphone.ts", out: "microphone" },
    { in: "src/app.css", out: "app" },
  ],
  outdir: folder,
  entryNames: "[name]",
  bundle: true,
  minify: true,
  format: "esm",
  target: ["chrome123", "firefox120", "safari17.5"],
  charset: "utf8",
  legalComments: "none",
  plugins: [withoutInlineStyle],
  logLevel: "warning",
});
for (const name of ["index.html", "favicon.svg"])
  await copyFile(join(here, "src", name), join(folder, name));
