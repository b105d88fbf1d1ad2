// Reading the OpenAPI document: its operations, the types of what they take, and examples of it.

const METHODS = ["get", "post", "put", "patch", "delete"];
const DEEPEST = 6; // schemas within schemas that are looked into
const FEW = 8; // words of a choice that are told beside a field

export class Api {
  constructor(spec) {
    this.spec = spec;
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

  resolved(part) {
    let found = part ?? {};
    for (let steps = 0; found.$ref && steps < DEEPEST; steps += 1) {
      found = found.$ref.slice(2).split("/").reduce((at, key) => at?.[key], this.spec) ?? {};
    }
    return found;
  }

  /** The schemas that a part may be of, but that it may be null. */
  choices(part) {
    const schema = this.resolved(part);
    // beside `properties` they only tell which of them go together
    const several = schema.properties ? null : schema.oneOf ?? schema.anyOf;
    if (!several) return [part];
    return several.flatMap((each) => this.choices(each))
      .filter((each) => this.resolved(each).type !== "null");
  }

  typeOf(part) {
    const told = this.choices(part).map((each) => {
      if (each?.$ref) return each.$ref.split("/").pop();
      const schema = each ?? {};
      if (schema.type === "array") return `list of ${this.typeOf(schema.items)}`;
      return [schema.type ?? (schema.enum ? "string" : "anything")].flat().join(" or ");
    });
    return [...new Set(told)].join(" or ");
  }

  /** All values that a part may have, where those are named. */
  words(part) {
    const [only, ...others] = this.choices(part);
    const schema = this.resolved(only);
    if (others.length) return null;
    return schema.type === "boolean" ? [true, false] : schema.enum ?? null;
  }

  /** Bounds and defaults, in words. */
  bounds(part) {
    const choices = this.choices(part);
    const schema = choices.length === 1 ? this.resolved(choices[0]) : {};
    const told = [];
    const words = this.words(part);
    const usual = this.resolved(part).default;
    if (words && schema.type !== "boolean") {
      told.push(`one of ${words.slice(0, FEW).join(", ")}${words.length > FEW ? ", …" : ""}`);
    }
    if (Math.abs(schema.minimum) < 1e9) told.push(`at least ${schema.minimum}`);
    if (Math.abs(schema.maximum) < 1e9) told.push(`at most ${schema.maximum}`);
    if (schema.minLength > 1) told.push(`at least ${schema.minLength} characters`);
    if (schema.maxLength > 0) told.push(`at most ${schema.maxLength} characters`);
    if (usual !== undefined && usual !== null && JSON.stringify(usual).length < 40
      && !["{}", "[]", '""'].includes(JSON.stringify(usual))) {
      told.push(`${JSON.stringify(usual)} unless said`);
    }
    return told.join("; ");
  }

  /** The fields of an object, or of the objects of a list; those that are needed come first. */
  fields(part) {
    for (const each of this.choices(part)) {
      const schema = this.resolved(each);
      if (schema.type === "array") {
        const found = this.fields(schema.items);
        if (found.length) return found;
      }
      if (schema.properties) {
        const needed = schema.required ?? [];
        return Object.entries(schema.properties)
          .map(([name, of]) => ({ name, schema: of, required: needed.includes(name) }))
          .sort((one, other) => other.required - one.required);
      }
    }
    return [];
  }

  example(part, depth = 0) {
    const schema = this.resolved(part);
    if (schema.examples?.length) return schema.examples[0];
    const [first] = this.choices(part);
    if (first !== part) return this.example(first, depth + 1);
    if (schema.default !== undefined) return schema.default;
    if (schema.enum) return schema.enum[0];
    if (depth > DEEPEST) return null;
    switch ([schema.type].flat()[0]) {
      case "object": {
        const fields = this.fields(part).filter((field) => field.required);
        return Object.fromEntries(
          fields.map((field) => [field.name, this.example(field.schema, depth + 1)]));
      }
      case "array": return [this.example(schema.items, depth + 1)];
      case "integer": return Math.max(schema.minimum ?? 0, 0);
      case "number": return 0.5;
      case "boolean": return false;
      case "string": return "";
      default: return null;
    }
  }

  bodyOf(operation) {
    const body = this.resolved(operation.requestBody);
    const kind = Object.keys(body.content ?? {})[0];
    if (!kind) return null;
    const { schema } = body.content[kind];
    return { kind, schema, required: body.required === true, description: body.description };
  }
}
