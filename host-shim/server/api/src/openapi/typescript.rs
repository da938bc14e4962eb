//! A client in TypeScript: an interface for each type, and a method for each route. It needs `fetch`, and nothing else.

use host_business::routes::{Field, Route, RouteTable, Type};
use std::fmt::Write;

/// Beginning of the file.
const BEGIN: &str = "// Made from routes.yml by `host-shim api --format typescript`. Do not edit.

/** An error of the server, as in RFC 9457. Programs read `code`. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly problem: Readonly<Record<string, unknown>>;

  constructor(status: number, problem: Record<string, unknown>) {
    super(typeof problem.detail === \"string\" ? problem.detail : `status ${status}`);
    this.name = \"ApiError\";
    this.status = status;
    this.code = typeof problem.code === \"string\" ? problem.code : \"unknown\";
    this.problem = problem;
  }
}

/** How requests are sent. */
export interface ClientOptions {
  /** Address of the server, without a slash at its end; the page's own without it. */
  baseUrl?: string;
  /** Returns the bearer token of the user, if there is one. */
  token?: () => string | null | undefined;
  /** Sends a request; `fetch` without it. */
  fetch?: typeof fetch;
  /** Changes a request before it is sent. */
  onRequest?: (request: Request) => Request | Promise<Request>;
  /** Sees each answer. */
  onResponse?: (response: Response) => void | Promise<void>;
}

/** How a command is sent. */
export interface CommandOptions {
  /** The same key and request have the same answer, so that a request may be sent twice. A random key without it. */
  idempotencyKey?: string;
}

type Query = Record<string, string | number | boolean | null | undefined>;

/** Milliseconds between two requests for an answer that comes later. */
const LATER_MS = 500;
/** Requests for an answer that comes later. */
const LATER_TRIES = 120;

async function problemOf(response: Response): Promise<ApiError> {
  const problem: unknown = await response.json().catch(() => ({}));
  return new ApiError(response.status, typeof problem === \"object\" && problem !== null ? { ...problem } : {});
}

function sender(options: ClientOptions) {
  async function once(method: string, path: string, query?: Query, body?: unknown, key?: string): Promise<Response> {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query ?? {})) {
      if (value !== null && value !== undefined) search.set(name, String(value));
    }
    const base = options.baseUrl ?? globalThis.location?.origin ?? \"\";
    const url = `${base}${path}${search.size > 0 ? `?${search}` : \"\"}`;
    const headers = new Headers({ Accept: \"application/json\" });
    const token = options.token?.();
    if (token) headers.set(\"Authorization\", `Bearer ${token}`);
    if (body !== undefined) headers.set(\"Content-Type\", \"application/json\");
    if (key) headers.set(\"Idempotency-Key\", key);
    let request = new Request(url, { method, headers, body: body === undefined ? null : JSON.stringify(body) });
    if (options.onRequest) request = await options.onRequest(request);
    const response = await (options.fetch ?? fetch)(request);
    await options.onResponse?.(response);
    return response;
  }

  return async function send<T>(method: string, path: string, query?: Query, body?: unknown, command?: CommandOptions): Promise<T> {
    // The same request with the same key gets the answer as soon as there is one.
    const key = command ? (command.idempotencyKey ?? crypto.randomUUID()) : undefined;
    let response = await once(method, path, query, body, key);
    for (let tries = 0; key && response.status === 202 && tries < LATER_TRIES; tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, LATER_MS));
      response = await once(method, path, query, body, key);
    }
    if (!response.ok) throw await problemOf(response);
    return (await response.json()) as T;
  };
}
";

/// Returns the text of a client. `name` is the name of its object, such as `billingApi`.
pub fn typescript(table: &RouteTable, name: &str) -> String {
    let mut text = BEGIN.to_owned();
    for (of, fields) in &table.types.0 {
        text.push_str(&format!("\nexport interface {of} {{\n"));
        for field in fields {
            about(&mut text, &field.about, "  ");
            let _ = writeln!(text, "  {}: {};", field.name, of_type(&field.value_type));
        }
        text.push_str("}\n");
    }
    for route in &table.routes {
        for (part, fields) in [("Query", &route.query), ("Body", &route.body)] {
            if !fields.is_empty() {
                text.push_str(&format!("\nexport interface {}{part} {{\n", upper(&route.name)));
                fields.iter().for_each(|field| given(&mut text, field));
                text.push_str("}\n");
            }
        }
    }
    let interface = upper(name);
    let _ = writeln!(text, "\n/** The methods of the API, one for each route. */\nexport interface {interface} {{");
    for route in &table.routes {
        about(&mut text, &route.about, "  ");
        let _ = writeln!(text, "  {}({}): Promise<{}>;", route.name, arguments(route), of_type(&route.answer));
    }
    let _ = writeln!(
        text,
        "}}\n\n/** Makes a client. */\nexport function create{interface}(options: ClientOptions = {{}}): {interface} {{"
    );
    let begin = if table.routes.is_empty() {
        "  sender(options);\n  return {\n"
    } else {
        "  const send = sender(options);\n  return {\n"
    };
    text.push_str(begin);
    for route in &table.routes {
        method(&mut text, route);
    }
    let _ = writeln!(text, "  }};\n}}\n\n/** The client of the page's own server, with the cookie of its session. */");
    let _ = writeln!(text, "export const {name}: {interface} = create{interface}();");
    text
}

fn method(text: &mut String, route: &Route) {
    let path = route.path.iter().fold(route.pattern.as_str().to_owned(), |path, field| {
        path.replace(&format!("{{{}}}", field.name), &format!("${{encodeURIComponent({})}}", field.name))
    });
    let quote = if route.path.is_empty() { '"' } else { '`' };
    let mut values = vec![format!("\"{}\"", route.method.name()), format!("{quote}{path}{quote}")];
    let given = |fields: &[Field], name: &str| if fields.is_empty() { "undefined" } else { name }.to_owned();
    values.push(given(&route.query, "{ ...query }"));
    values.push(given(&route.body, "body"));
    if route.command.is_some() {
        values.push("command ?? {}".to_owned());
    }
    while values.last().is_some_and(|value| value == "undefined") {
        values.pop();
    }
    let names = names(route).join(", ");
    let _ = writeln!(text, "    {}: ({names}) => send({}),", route.name, values.join(", "));
}

/// Returns the names of a method's arguments.
fn names(route: &Route) -> Vec<String> {
    let mut names: Vec<String> = route.path.iter().map(|field| field.name.clone()).collect();
    names.extend((!route.body.is_empty()).then(|| "body".to_owned()));
    names.extend((!route.query.is_empty()).then(|| "query".to_owned()));
    names.extend(route.command.is_some().then(|| "command".to_owned()));
    names
}

/// Returns the arguments of a method with their types.
fn arguments(route: &Route) -> String {
    let name = upper(&route.name);
    let mut arguments: Vec<String> = route.path.iter().map(|field| format!("{}: string", field.name)).collect();
    // An argument that may be missing cannot stand before one that may not.
    if !route.body.is_empty() {
        let is_optional = route.body.iter().all(is_optional) && route.query.iter().all(is_optional);
        arguments.push(format!("body{}: {name}Body", if is_optional { "?" } else { "" }));
    }
    if !route.query.is_empty() {
        arguments.push(format!("query{}: {name}Query", if route.query.iter().all(is_optional) { "?" } else { "" }));
    }
    arguments.extend(route.command.is_some().then(|| "command?: CommandOptions".to_owned()));
    arguments.join(", ")
}

fn is_optional(field: &Field) -> bool {
    field.value_type.is_optional() || field.default.is_some()
}

fn given(text: &mut String, field: &Field) {
    about(text, &field.about, "  ");
    let mark = if is_optional(field) { "?" } else { "" };
    let _ = writeln!(text, "  {}{mark}: {};", field.name, of_type(&field.value_type));
}

fn about(text: &mut String, about: &str, indent: &str) {
    if !about.is_empty() {
        let _ = writeln!(text, "{indent}/** {} */", about.replace("*/", "*\u{200b}/"));
    }
}

fn of_type(of: &Type) -> String {
    match of {
        Type::Text | Type::Time | Type::Date => "string".to_owned(),
        Type::Integer => "number".to_owned(),
        Type::Boolean => "boolean".to_owned(),
        Type::Json => "unknown".to_owned(),
        Type::Words(words) => words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" | "),
        Type::Named(name) => name.clone(),
        Type::List(inner) => match **inner {
            Type::Words(_) | Type::Optional(_) => format!("({})[]", of_type(inner)),
            _ => format!("{}[]", of_type(inner)),
        },
        Type::Optional(inner) => format!("{} | null", of_type(inner)),
    }
}

/// Returns a name with an upper-case letter at its beginning.
fn upper(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
