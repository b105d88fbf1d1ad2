// The page that shows the OpenAPI document and tries its operations. All text goes through
// textContent: nothing that the document or an answer says becomes markup.

import { Api } from "./document.js";

const LONGEST = 200000; // characters of an answer that are shown

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== ""));
  return made;
}

/** A text whose words between backticks are code. */
function written(text) {
  return text.split("`").map((part, index) => (index % 2 ? element("code", {}, part) : part))
    .filter((part) => part !== "");
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text; // shown as it came
  }
}

// ----------------------------------------------------------------------------- one operation

class Operation {
  constructor(api, operation) {
    this.api = api;
    this.operation = operation;
    this.inputs = [];
    this.body = null;
    this.file = null;
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
    const form = element("form");
    if (description) form.append(element("p", { class: "text" }, ...written(description)));
    const right = this.operation["x-right"];
    if (right) {
      form.append(element("p", { class: "about" }, "Needs the right ",
        element("code", {}, right), "."));
    }
    if (parameters.length) form.append(element("h3", {}, "Parameters"), this.fields(parameters));
    const body = this.api.bodyOf(this.operation);
    if (body) form.append(...this.bodyFields(body));
    this.button = element("button", { class: "main" }, "Send");
    this.taken = element("span", { class: "about", role: "status" });
    this.answer = element("div", { "aria-live": "polite" });
    form.append(element("div", { class: "actions" }, this.button, this.taken), this.answer,
      this.answers());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    this.node.append(form);
  }

  fields(parameters) {
    const rows = parameters.map((part) => {
      const parameter = this.api.resolved(part);
      const { name, required = false, schema, description } = parameter;
      const id = `${this.operation.operationId}-${name}`;
      const input = this.input(schema, { id, required: required ? "" : null });
      this.inputs.push({ parameter, input });
      return element("div", { class: "field" },
        element("label", { class: "name", for: id }, element("code", {}, name),
          required ? element("b", { class: "needed" }, "needed") : "",
          element("small", {}, `${parameter.in}, ${this.api.typeOf(schema)}`)),
        element("div", {}, input, element("small", {}, ...written(this.told(schema, description)))));
    });
    return element("div", { class: "fields" }, ...rows);
  }

  input(schema, attributes) {
    const words = this.api.words(schema);
    if (words) {
      const options = words.map((word) => element("option", {}, String(word)));
      return element("select", attributes, element("option", { value: "" }, ""), ...options);
    }
    const usual = this.api.resolved(schema).default ?? "";
    return element("input", {
      ...attributes, autocomplete: "off", spellcheck: "false", placeholder: String(usual),
    });
  }

  told(schema, description = "") {
    return [description || (this.api.resolved(schema).description ?? ""), this.api.bounds(schema)]
      .filter(Boolean).join(" · ");
  }

  // ------------------------------------------------------------------------------- its body

  bodyFields({ kind, schema, required, description }) {
    this.kind = kind;
    this.schema = schema;
    const title = element("h3", {}, "Body ", element("small", { class: "about" },
      `${kind}, ${this.api.typeOf(schema)}${required ? "" : ", may be left out"}`));
    if (kind === "application/octet-stream") {
      this.file = element("input", { type: "file", "aria-label": `Body: ${description}` });
      return [title, this.file];
    }
    const name = `${this.operation.operationId}-body`;
    this.body = element("textarea", {
      id: name, "aria-label": "Body", "aria-describedby": `${name}-fault`, spellcheck: "false",
      rows: "6",
    });
    this.fault = element("p", { class: "trouble", id: `${name}-fault`, role: "alert" });
    this.body.addEventListener("input", () => this.check());
    this.body.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        this.button.form.requestSubmit();
      }
    });
    this.begin();
    const again = element("button", { type: "button" }, "Back to the example");
    again.addEventListener("click", () => this.begin());
    const keys = element("small", { class: "about" }, "Ctrl+Enter sends.");
    const about = description ?? this.about(schema);
    return [title, about ? element("p", { class: "text" }, ...written(about)) : "", this.table(schema),
      this.body, this.fault, element("div", { class: "actions" }, again, keys)].filter(Boolean);
  }

  about(schema) {
    const [first] = this.api.choices(schema);
    return this.api.resolved(first).description ?? "";
  }

  table(schema, depth = 0) {
    const fields = this.api.fields(schema);
    if (!fields.length || depth > 2) return "";
    const rows = fields.map((field) => element("tr", {},
      element("th", { scope: "row" }, element("code", {}, field.name),
        field.required ? element("b", { class: "needed" }, "needed") : ""),
      element("td", { class: "type" }, this.api.typeOf(field.schema)),
      element("td", {}, ...written(this.told(field.schema)), this.table(field.schema, depth + 1))));
    const head = ["Field", "Type", "Meaning"].map((word) => element("th", { scope: "col" }, word));
    return element("table", { class: "schema" },
      element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows));
  }

  begin() {
    this.body.value = this.kind.includes("json") && !this.kind.includes("ndjson")
      ? JSON.stringify(this.api.example(this.schema), null, 2) : "";
    this.body.rows = Math.min(Math.max(this.body.value.split("\n").length + 1, 4), 20);
    this.check();
  }

  /** Says what of the body is no JSON; whether there is nothing to say. */
  check() {
    let fault = "";
    if (this.kind === "application/json" && this.body.value.trim()) {
      try {
        JSON.parse(this.body.value);
      } catch (error) {
        fault = `This is no JSON yet: ${error.message}`;
      }
    }
    this.fault.textContent = fault;
    this.body.setAttribute("aria-invalid", String(fault !== ""));
    return fault === "";
  }

  answers() {
    const rows = Object.entries(this.operation.responses).map(([status, part]) => {
      const response = this.api.resolved(part);
      const content = Object.values(response.content ?? {})[0];
      return element("tr", {}, element("th", { scope: "row" }, status),
        element("td", {}, ...written(response.description ?? "")),
        element("td", { class: "type" }, content ? this.api.typeOf(content.schema) : ""));
    });
    return element("details", {}, element("summary", { class: "about" }, "Answers"),
      element("table", {}, element("tbody", {}, ...rows)));
  }

  // ---------------------------------------------------------------------------- sending it

  address() {
    let path = this.operation.path;
    const query = new URLSearchParams();
    for (const { parameter, input } of this.inputs) {
      if (parameter.in === "path") {
        const written = input.value.split("/").map(encodeURIComponent).join("/");
        path = path.replace(`{${parameter.name}}`, () => written);
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
    if (this.content()) headers["Content-Type"] = this.kind;
    for (const { parameter, input } of this.inputs) {
      if (parameter.in === "header" && input.value !== "") headers[parameter.name] = input.value;
    }
    return headers;
  }

  content() {
    return (this.file ? this.file.files[0] : this.body?.value) || undefined;
  }

  async send() {
    if (this.body && !this.check()) {
      this.body.focus();
      return;
    }
    const began = performance.now();
    const method = this.operation.method.toUpperCase();
    this.button.disabled = true;
    this.taken.textContent = "sent …";
    try {
      const address = this.address();
      const response = await fetch(address, {
        method, headers: this.headers(), body: this.content(), redirect: "error",
      });
      this.taken.textContent = `${response.status} ${response.statusText}`;
      await this.show(response);
      this.taken.textContent += `, ${Math.round(performance.now() - began)} ms: `
        + `${method} ${address}`;
    } catch (error) {
      this.taken.textContent = "";
      this.answer.replaceChildren(element("p", { class: "trouble" },
        `No answer: ${error.message}. Does the server still run?`));
    } finally {
      this.button.disabled = false;
    }
  }

  async show(response) {
    const kind = response.headers.get("content-type") ?? "";
    if (kind.startsWith("text/event-stream")) {
      await this.follow(response);
      return;
    }
    const text = await response.text();
    const shown = kind.includes("json") ? pretty(text) : text;
    const cut = shown.length > LONGEST
      ? `${shown.slice(0, LONGEST)}\n… (${shown.length} characters)` : shown;
    this.answer.replaceChildren(
      ...(kind.startsWith("application/problem+json") ? this.problem(text) : []),
      cut ? element("pre", { tabindex: "0", "aria-label": "Answer" }, cut) : "");
  }

  problem(text) {
    try {
      const { detail, hint } = JSON.parse(text);
      return [element("p", { class: "trouble", role: "alert" }, detail ?? ""),
        hint ? element("p", { class: "hint" }, `What to do: ${hint}`) : ""].filter(Boolean);
    } catch {
      return [];
    }
  }

  async follow(response) {
    const shown = element("pre", { tabindex: "0", "aria-label": "Answer" });
    this.answer.replaceChildren(shown);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text = (text + value).slice(-LONGEST);
      shown.textContent = text;
    }
  }
}

// --------------------------------------------------------------------------------- the page

function show(operations, wanted) {
  const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
  const groups = new Map();
  let count = 0;
  for (const each of operations) {
    const shown = words.every((word) => each.words.includes(word));
    each.node.hidden = !shown;
    count += shown ? 1 : 0;
    const tag = each.operation.tags?.[0] ?? "other";
    groups.set(tag, (groups.get(tag) ?? 0) + (shown ? 1 : 0));
  }
  for (const section of document.querySelectorAll("#operations > section")) {
    section.hidden = !groups.get(section.dataset.tag);
  }
  document.getElementById("state").textContent = `${count} operations`;
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

function open() {
  const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!(named instanceof HTMLDetailsElement)) return;
  named.open = true;
  named.scrollIntoView();
}

async function start() {
  const find = document.getElementById("find");
  document.getElementById("tools").addEventListener("submit", (event) => event.preventDefault());
  try {
    const api = new Api(await (await fetch("/openapi.json")).json());
    const operations = api.operations().map((each) => new Operation(api, each));
    lay(operations);
    show(operations, find.value);
    find.addEventListener("input", () => show(operations, find.value));
    window.addEventListener("hashchange", open);
    open();
  } catch (error) {
    document.getElementById("state").textContent =
      `The document could not be read: ${error.message}`;
  }
}

start();
