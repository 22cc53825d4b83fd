// Takes the language and the time zone from the page, before anything of it speaks.
import { become, type Words } from "./pure/language";

const { lang, dataset } = document.documentElement;
const given = document.querySelector<HTMLMetaElement>("meta[name=words]")?.content;
const words = given ? (JSON.parse(given) as Words) : {};
const plurals = words[""];
become({ language: lang || "en", zone: dataset["zone"], words, plurals: typeof plurals === "string" ? plurals : "" });
