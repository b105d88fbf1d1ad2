"use strict";

// The page that shows the OpenAPI document and tries its operations. All text goes through
// textContent: nothing that the document or an answer says becomes markup.

const METHODS = ["get", "post", "put", "patch", "delete"];
const DEEPEST = 6; // schemas within schemas that an example shows
const LONGEST = 200000; // characters of an answer that are shown

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.filter((child) => child !== null && child !== ""));
  return made;
}

// ------------------------------------------------------------------------- reading the document

class Api {
  constructor(spec) {
    this.spec = spec;
  }

  resolved(part) {
    let found = part ?? {};
    for (let steps = 0; found.$ref && steps < DEEPEST; steps += 1) {
      found = found.$ref.slice(2).split("/").reduce((at, key) => at?.[key], this.spec) ?? {};
    }
    return found;
  }

  operations() {
    const found = [];
    for (const [path, item] of Object.entries(this.spec.paths)) {
      for (const method of METHODS) {
        if (item[method]) found.push({ path, method, ...item[method] });
      }
    }
    return found;
  }

  typeOf(part) {
    if (part?.$ref) return part.$ref.split("/").pop();
    const schema = part ?? {};
    const several = schema.oneOf ?? schema.anyOf;
    if (several) return several.map((each) => this.typeOf(each)).join(" or ");
    if (schema.enum) return schema.enum.map((each) => JSON.stringify(each)).join(", ");
    if (schema.type === "array") return `list of ${this.typeOf(schema.items)}`;
    return [schema.type ?? "anything"].flat().join(" or ");
  }

  example(part, depth = 0) {
    const schema = this.resolved(part);
    if (schema.default !== undefined) return schema.default;
    if (schema.examples?.length) return schema.examples[0];
    if (schema.enum) return schema.enum[0];
    if (schema.const !== undefined) return schema.const;
    const several = schema.oneOf ?? schema.anyOf ?? schema.allOf;
    if (several) {
      const best = several.find((each) => this.resolved(each).type !== "null") ?? several[0];
      return this.example(best, depth + 1);
    }
    switch ([schema.type].flat()[0]) {
      case "object": {
        if (depth > DEEPEST) return {};
        const fields = Object.entries(schema.properties ?? {});
        return Object.fromEntries(fields.map(([key, of]) => [key, this.example(of, depth + 1)]));
      }
      case "array": return depth > DEEPEST ? [] : [this.example(schema.items, depth + 1)];
      case "integer": return schema.minimum ?? 0;
      case "number": return 0.5;
      case "boolean": return false;
      case "string": return "";
      default: return null;
    }
  }

  bodyOf(operation) {
    const content = this.resolved(operation.requestBody).content ?? {};
    const kind = Object.keys(content)[0];
    return kind ? { kind, schema: content[kind].schema } : null;
  }
}

// ----------------------------------------------------------------------------- one operation

class Operation {
  constructor(api, operation) {
    this.api = api;
    this.operation = operation;
    this.inputs = [];
    this.body = null;
    const { method, path, summary } = operation;
    this.words = [method, path, summary, operation.operationId, ...(operation.tags ?? [])]
      .join(" ").toLowerCase();
    this.node = element("details", { class: "operation", id: operation.operationId },
      element("summary", {},
        element("span", { class: `method ${method}` }, method.toUpperCase()),
        element("span", { class: "path" }, path),
        element("span", { class: "about" }, summary ?? "")));
    this.node.addEventListener("toggle", () => this.fill(), { once: true });
  }

  fill() {
    const { description, parameters = [] } = this.operation;
    const inside = element("div");
    if (description) inside.append(element("p", { class: "text" }, description));
    const right = this.operation["x-right"];
    if (right) {
      inside.append(element("p", { class: "about" }, "Needs the right ",
        element("code", {}, right), "."));
    }
    if (parameters.length) inside.append(element("h3", {}, "Parameters"), this.fields(parameters));
    const body = this.api.bodyOf(this.operation);
    if (body) inside.append(...this.bodyFields(body));
    const send = element("button", { class: "main", type: "button" }, "Send");
    const taken = element("span", { class: "about" });
    this.answer = element("div", { "aria-live": "polite" });
    send.addEventListener("click", () => this.send(taken));
    inside.append(element("div", { class: "actions" }, send, taken), this.answer, this.answers());
    this.node.append(inside);
  }

  fields(parameters) {
    const rows = parameters.map((part) => {
      const parameter = this.api.resolved(part);
      const type = this.api.typeOf(parameter.schema);
      const input = element("input", { "aria-label": parameter.name, autocomplete: "off" });
      if (parameter.schema?.default !== undefined && parameter.schema.default !== null) {
        input.placeholder = String(parameter.schema.default);
      }
      this.inputs.push({ parameter, input });
      const needed = parameter.required ? ", needed" : "";
      return element("div", { class: "field" },
        element("div", { class: "name" }, element("code", {}, parameter.name),
          element("small", {}, `${parameter.in}, ${type}${needed}`)),
        element("div", {}, input, element("small", {}, parameter.description ?? "")));
    });
    return element("div", { class: "fields" }, ...rows);
  }

  bodyFields({ kind, schema }) {
    this.kind = kind;
    this.body = element("textarea", { "aria-label": "Body", spellcheck: "false" });
    this.body.value = kind.includes("json")
      ? JSON.stringify(this.api.example(schema), null, 2) : "";
    return [element("h3", {}, "Body ", element("small", { class: "about" },
      `${kind}, ${this.api.typeOf(schema)}`)), this.body];
  }

  answers() {
    const rows = Object.entries(this.operation.responses).map(([status, part]) => {
      const response = this.api.resolved(part);
      const content = Object.values(response.content ?? {})[0];
      return element("tr", {}, element("td", { class: "mono" }, status),
        element("td", {}, response.description ?? ""),
        element("td", { class: "mono" }, content ? this.api.typeOf(content.schema) : ""));
    });
    return element("details", {}, element("summary", { class: "about" }, "Answers"),
      element("table", {}, ...rows));
  }

  address() {
    let path = this.operation.path;
    const query = new URLSearchParams();
    for (const { parameter, input } of this.inputs) {
      if (parameter.in === "path") {
        const written = input.value.split("/").map(encodeURIComponent).join("/");
        path = path.replace(`{${parameter.name}}`, written);
      } else if (parameter.in === "query" && input.value !== "") {
        query.append(parameter.name, input.value);
      }
    }
    return query.size ? `${path}?${query}` : path;
  }

  headers() {
    const headers = {};
    const token = document.getElementById("token").value.trim();
    const csrf = document.querySelector("meta[name=csrf]");
    if (token) headers.Authorization = `Bearer ${token}`;
    else if (csrf) headers["X-CSRF-Token"] = csrf.content;
    if (this.body?.value) headers["Content-Type"] = this.kind;
    for (const { parameter, input } of this.inputs) {
      if (parameter.in === "header" && input.value !== "") headers[parameter.name] = input.value;
    }
    return headers;
  }

  async send(taken) {
    const began = performance.now();
    const method = this.operation.method.toUpperCase();
    taken.textContent = "…";
    try {
      const response = await fetch(this.address(), {
        method, headers: this.headers(), body: this.body?.value || undefined, redirect: "error",
      });
      const text = await this.read(response);
      taken.textContent = `${response.status} ${response.statusText}, `
        + `${Math.round(performance.now() - began)} ms`;
      this.answer.replaceChildren(element("pre", {}, text));
    } catch (error) {
      taken.textContent = "no answer";
      this.answer.replaceChildren(element("p", { class: "trouble" }, String(error.message)));
    }
  }

  async read(response) {
    const kind = response.headers.get("content-type") ?? "";
    if (kind.startsWith("text/event-stream")) return this.follow(response);
    let text = await response.text();
    if (kind.includes("json")) {
      try {
        text = JSON.stringify(JSON.parse(text), null, 2);
      } catch {
        // shown as it came
      }
    }
    return text.length > LONGEST ? `${text.slice(0, LONGEST)}\n… (${text.length} characters)` : text;
  }

  async follow(response) {
    const shown = element("pre");
    this.answer.replaceChildren(shown);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return text;
      text = (text + value).slice(-LONGEST);
      shown.textContent = text;
    }
  }
}

// --------------------------------------------------------------------------------- the page

function show(operations, wanted) {
  const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
  const groups = new Map();
  for (const each of operations) {
    const shown = words.every((word) => each.words.includes(word));
    each.node.hidden = !shown;
    const tag = each.operation.tags?.[0] ?? "other";
    groups.set(tag, (groups.get(tag) ?? 0) + (shown ? 1 : 0));
  }
  for (const section of document.querySelectorAll("#operations > section")) {
    section.hidden = !groups.get(section.dataset.tag);
  }
}

function lay(operations) {
  const place = document.getElementById("operations");
  const sections = new Map();
  for (const each of operations) {
    const tag = each.operation.tags?.[0] ?? "other";
    if (!sections.has(tag)) {
      const section = element("section", { "data-tag": tag }, element("h2", {}, tag));
      sections.set(tag, section);
      place.append(section);
    }
    sections.get(tag).append(each.node);
  }
}

async function start() {
  const state = document.getElementById("state");
  document.getElementById("tools").addEventListener("submit", (event) => event.preventDefault());
  try {
    const api = new Api(await (await fetch("/openapi.json")).json());
    const operations = api.operations().map((each) => new Operation(api, each));
    lay(operations);
    state.textContent = `${operations.length} operations`;
    const find = document.getElementById("find");
    find.addEventListener("input", () => show(operations, find.value));
    const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (named instanceof HTMLDetailsElement) named.open = true;
  } catch (error) {
    state.textContent = `The document could not be read: ${error.message}`;
  }
}

start();
