//! Generates a TypeScript client: an interface for each type, and a method for each route of the business and of every server. The client
//! needs only `fetch`.

use crate::description::{Description, shapes};
use crate::openapi::operation::{Input, Operation, Output, upper};
use host_business::routes::{Field, RouteTable, Type};
use std::fmt::Write;

/// The first lines of the file.
const BEGIN: &str = "// Made from routes.yml by `provisioner api --format typescript`. Do not edit.

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

/// Name of the object with the routes of every server.
pub(crate) const SERVER: &str = "server";

/// Returns the text of a client. `name` is the name of the object with the business's routes, such as `billingApi`.
pub(crate) fn typescript(table: &RouteTable, server: &[&Description], name: &str) -> String {
    let mut text = BEGIN.to_owned();
    for (of, fields) in &table.types.0 {
        interface(&mut text, of, fields, shown);
    }
    let own: Vec<Operation> = table.routes.iter().map(Operation::from).collect();
    client(&mut text, name, "The methods of the API, one for each route.", &own);
    for shape in shapes(server.iter().copied()) {
        interface(&mut text, shape.name, &shape.fields(), shown);
    }
    let is_called = |of: &Operation| !of.name.is_empty() && matches!(of.answer, Output::Value(_));
    let of_server: Vec<Operation> = server.iter().map(|of| Operation::from(*of)).filter(is_called).collect();
    client(&mut text, SERVER, "The methods that every server has.", &of_server);
    text
}

/// Writes an interface with one line per field.
fn interface(text: &mut String, name: &str, fields: &[Field], line: fn(&mut String, &Field)) {
    let _ = writeln!(text, "\nexport interface {name} {{");
    fields.iter().for_each(|field| line(text, field));
    text.push_str("}\n");
}

/// Writes the interfaces of requests, and an object with a method for each operation.
fn client(text: &mut String, name: &str, words: &str, operations: &[Operation]) {
    for of in operations {
        if !of.query.is_empty() {
            interface(text, &format!("{}Query", of.prefix), &of.query, given);
        }
        if let Input::Members(members) = &of.body {
            interface(text, &format!("{}Body", of.prefix), members, given);
        }
    }
    let of_object = if name == SERVER { "ServerApi".to_owned() } else { upper(name) };
    let _ = writeln!(text, "\n/** {words} */\nexport interface {of_object} {{");
    for of in operations {
        about(text, &of.about, "  ");
        let _ = writeln!(text, "  {}({}): Promise<{}>;", of.name, arguments(of), of_answer(of));
    }
    let _ = writeln!(
        text,
        "}}\n\n/** Makes a client. */\nexport function create{of_object}(options: ClientOptions = {{}}): {of_object} {{"
    );
    let begin = if operations.is_empty() {
        "  sender(options);\n  return {\n"
    } else {
        "  const send = sender(options);\n  return {\n"
    };
    text.push_str(begin);
    operations.iter().for_each(|of| method(text, of));
    let _ = writeln!(text, "  }};\n}}\n\n/** The client of the page's own server, with the cookie of its session. */");
    let _ = writeln!(text, "export const {name}: {of_object} = create{of_object}();");
}

fn of_answer(of: &Operation) -> String {
    match &of.answer {
        Output::Value(of) => of_type(of),
        Output::Redirect | Output::Text(_) => "string".to_owned(),
    }
}

fn method(text: &mut String, of: &Operation) {
    let path = of.parts.iter().fold(of.path.clone(), |path, field| {
        path.replace(&format!("{{{}}}", field.name), &format!("${{encodeURIComponent({})}}", field.name))
    });
    let quote = if of.parts.is_empty() { '"' } else { '`' };
    let mut values = vec![format!("\"{}\"", of.method), format!("{quote}{path}{quote}")];
    let given = |is_given: bool, name: &str| if is_given { name } else { "undefined" }.to_owned();
    values.push(given(!of.query.is_empty(), "{ ...query }"));
    values.push(given(of.body != Input::Nothing, "body"));
    if of.is_command {
        values.push("command ?? {}".to_owned());
    }
    while values.last().is_some_and(|value| value == "undefined") {
        values.pop();
    }
    let names = names(of).join(", ");
    let _ = writeln!(text, "    {}: ({names}) => send({}),", of.name, values.join(", "));
}

/// Returns the names of a method's arguments.
fn names(of: &Operation) -> Vec<String> {
    let mut names: Vec<String> = of.parts.iter().map(|field| field.name.clone()).collect();
    names.extend((of.body != Input::Nothing).then(|| "body".to_owned()));
    names.extend((!of.query.is_empty()).then(|| "query".to_owned()));
    names.extend(of.is_command.then(|| "command".to_owned()));
    names
}

/// Returns the arguments of a method with their types.
fn arguments(of: &Operation) -> String {
    let mut arguments: Vec<String> = of.parts.iter().map(|field| format!("{}: string", field.name)).collect();
    // An optional argument cannot come before a required one.
    let mark = |is_optional: bool| if is_optional { "?" } else { "" };
    let has_optional_query = of.query.iter().all(is_optional);
    match &of.body {
        Input::Nothing => {}
        Input::Members(members) => {
            let is_optional = members.iter().all(is_optional) && has_optional_query;
            arguments.push(format!("body{}: {}Body", mark(is_optional), of.prefix));
        }
        Input::Object => arguments.push(format!("body{}: object", mark(has_optional_query))),
    }
    if !of.query.is_empty() {
        arguments.push(format!("query{}: {}Query", mark(has_optional_query), of.prefix));
    }
    arguments.extend(of.is_command.then(|| "command?: CommandOptions".to_owned()));
    arguments.join(", ")
}

/// Writes a member of a response.
fn shown(text: &mut String, field: &Field) {
    about(text, &field.about, "  ");
    let _ = writeln!(text, "  {}: {};", field.name, of_type(&field.value_type));
}

fn is_optional(field: &Field) -> bool {
    field.value_type.is_optional() || field.default.is_some()
}

/// Writes a member of a request.
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
