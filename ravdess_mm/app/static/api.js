// The description of the API, from this server's own openapi.json.

import { find, make } from "./common.js";

find("origin").textContent = location.origin;
const { paths, components } = await (await fetch("/openapi.json")).json();
const resolve = (schema) => (schema?.$ref ? components.schemas[schema.$ref.split("/").at(-1)] : schema);

for (const [path, methods] of Object.entries(paths)) {
  for (const [method, about] of Object.entries(methods)) {
    const body = resolve(Object.values(about.requestBody?.content ?? {})[0]?.schema);
    const fields = Object.entries(body?.properties ?? {}).map(([name, field]) => [name, body.required?.includes(name) ? "yes" : "no", field.description ?? ""]);
    const parameters = (about.parameters ?? []).map((one) => [one.name, one.required ? "yes" : "no", one.description ?? `in the ${one.in}`]);
    const rows = [...fields, ...parameters].map(([name, needed, said]) => make("tr", {}, make("th", { scope: "row" }, make("code", { textContent: name })), make("td", { textContent: needed }), make("td", { textContent: said })));
    find("paths").append(make("h2", {}, make("code", { textContent: `${method.toUpperCase()} ${path}` })), make("p", { textContent: about.description ?? "" }));
    if (!rows.length) continue;
    const head = make("thead", {}, make("tr", {}, ...["Field", "Needed", "What"].map((text) => make("th", { scope: "col", textContent: text }))));
    find("paths").append(make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": `Fields of ${path}` }, make("table", {}, head, make("tbody", {}, ...rows))));
  }
}
