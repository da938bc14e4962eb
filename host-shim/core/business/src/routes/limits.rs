//! Every request limit, in one place: its value, its unit and its reason. `docs/reference/limits.md` shows the same table, which a test
//! compares.

/// A row of the table, for the documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What is limited.
    pub of: &'static str,
    /// The value.
    pub value: u64,
    /// The unit of the value.
    pub unit: &'static str,
    /// Why it has this value.
    pub why: &'static str,
}

macro_rules! limits {
    ($($name:ident: $number:ty = $value:expr, $unit:literal, $of:literal, $why:literal;)*) => {
        $(
            #[doc = concat!("Limit of ", $of, ", in ", $unit, ": ", $why, ".")]
            pub const $name: $number = $value;
        )*
        /// All limits, in the order of the documentation.
        pub const LIMITS: &[Limit] =
            &[$(Limit { of: $of, value: $name as u64, unit: $unit, why: $why }),*];
    };
}

limits! {
    CONNECTIONS_MAX: usize = 16_384, "connections", "open connections", "a further one waits until another closes";
    ADDRESS_CONNECTIONS_MAX: usize = 256, "connections", "open connections of an address that is not a trusted proxy", "a whole office may share an address; a further one is closed";
    HEAD_BYTES_MAX: usize = 32 * 1024, "bytes", "the head of a request", "long cookies and addresses fit";
    HEADERS_MAX: usize = 100, "lines", "the headers of a request", "browsers and proxies send some thirty";
    HEAD_S_MAX: u64 = 15, "seconds", "the arrival of a head", "also the time for which a connection may be idle";
    BODY_S_MAX: u64 = 10, "seconds", "the arrival of a body", "a phone sends the largest body in less";
    WRITE_S_MAX: u64 = 30, "seconds", "an answer that its client does not read", "a phone may lose its network for some seconds";
    REPLY_S_MAX: u64 = 20, "seconds", "the wait for a reply that depends on an effect", "common clients give up after 30 s";
    STORE_S_MAX: u64 = 20, "seconds", "the wait for the store", "common clients give up after 30 s; the same request may be sent again";
    HEALTH_S_MAX: u64 = 3, "seconds", "the wait of `/health` and `/metrics` for the store", "monitors give up after 5 s";
    WRITE_TEST_S: u64 = 5, "seconds", "the time between two writes of `/health` that test the store", "they cost as much as a commit";
    STOP_S_MAX: u64 = 25, "seconds", "open requests when the server stops", "common supervisors kill after 30 s";
    END_S_MAX: u64 = 50, "seconds", "the whole stop of the server, with the calls of providers", "systemd kills after 60 s";
    QUERY_PARAMETERS_MAX: usize = 100, "parameters", "the query of a request", "clients of a registry send one for each image";
    CREDENTIAL_BYTES_MAX: usize = 8 * 1024, "bytes", "a body of `/api/auth/…`", "an address, a name and a password of 200 characters fit, escaped";
    ENDPOINT_BYTES_MAX: usize = 16 * 1024, "bytes", "a body of `/api/endpoints/…`", "an address, a description and all event types fit";
    FORM_BYTES_MAX: usize = 64 * 1024, "bytes", "a form of a page", "a form has no files";
    FORM_FIELDS_MAX: usize = 200, "fields", "a form of a page", "a product with metadata has some dozens";
    COMMAND_BYTES_MAX: usize = 256 * 1024, "bytes", "the body of a command, a route or an operator's request", "the contract has no larger JSON";
    EVENT_BYTES_MAX: usize = 1024 * 1024, "bytes", "a webhook, or a service's event", "Stripe's events reach 900 KB";
    ERRORS_MAX: usize = 20, "errors", "the wrong values that one answer lists", "nobody reads more; the answer gives the number of the others";
    NAME_BYTES_MAX: usize = 255, "bytes", "a name that an error repeats", "a longer one is cut";
    ROWS_MAX: usize = 10_000, "rows", "a list that a route reads without pages", "lists with pages have no limit";
    TURN_ROWS_MAX: usize = 2_000, "rows", "one turn of reading a long list", "other queries run in between";
    KEY_PER_SECOND: u32 = 500, "requests a second", "a valid key or session", "a program may be busy";
    KEY_AT_ONCE: u32 = 1_000, "requests at once", "a valid key or session", "a short burst is normal";
    STRANGER_PER_SECOND: u32 = 10, "requests a second", "an address without a valid key or session", "several people may share an address";
    STRANGER_AT_ONCE: u32 = 100, "requests at once", "an address without a valid key or session", "a busy page makes several";
    NETWORK_SHARE: u32 = 8, "times an address", "an IPv6 network of 48 bits", "providers give such a network to one customer";
    USER_IN_PROGRESS: usize = 32, "requests in progress", "a user, or the bearer of a token", "a browser sends six at the same time";
    PROGRAM_IN_PROGRESS: usize = 64, "requests in progress", "a service or an operator", "a program has many threads";
    ADDRESS_IN_PROGRESS: usize = 128, "requests in progress", "an address, without services, operators and signed webhooks", "several people may share an address";
    QUESTIONS_WAITING: usize = 256, "questions", "waiting questions of callers; and as many again for each of operators, webhooks and the server", "callers take turns, and one caller may fill at most a quarter";
    COMMANDS_WAITING: usize = host_engine::turns::COMMANDS_WAITING, "commands", "waiting commands of callers; and as many again for each of operators, webhooks and the server", "callers take turns, and one caller may fill at most a quarter";
    STREAMS_MAX: usize = 1_024, "streams", "open streams of events", "each keeps a connection";
    STREAMS_OF_OPERATORS: usize = 64, "streams", "the part of the open streams that only operators may use", "they need them most when all is busy";
    USER_STREAMS_MAX: usize = 10, "streams", "open streams of a user", "each tab with a live page has one";
    PROGRAM_STREAMS_MAX: usize = 50, "streams", "open streams of a service or an operator", "a program may run on several machines";
    RECHECK_S: u64 = 30, "seconds", "the time between two checks of a stream's rights", "a stream does not outlive the right to it by more than this";
    LOGINS_PER_MINUTE: u32 = 10, "logins a minute", "logins from an address; failed logins of a user", "each costs a slow hash";
    REGISTRATIONS_PER_DAY: u32 = 20, "registrations a day", "an address", "people of an office may register; each is a customer at Stripe";
    ORGANIZATIONS_PER_DAY: u32 = 20, "organizations a day", "organizations that a user makes or dissolves", "each is an account, and nobody needs so many";
    MAILS_PER_HOUR: u32 = 10, "mails an hour", "mails that requests cause to one mailbox; resets are counted separately", "more would only fill it";
    MAILS_PER_DAY: u32 = 30, "mails a day", "mails that requests cause to one mailbox; resets are counted separately", "a link of a reset works longer than the wait for the next one";
    MAILS_TO_ONE_PER_HOUR: u32 = 3, "mails an hour", "mails of one user or network to one mailbox", "a stranger leaves room for the owner";
    MAILS_OF_ONE_PER_HOUR: u32 = 100, "mails an hour", "mails of one user or network, without resets", "an owner invites a whole team, and people share a network";
    SENDERS_MAX: usize = 65_536, "senders", "the memory of each rate, 16 bytes a sender", "the least active senders are forgotten first";
    ENDPOINT_MESSAGES_PER_DAY: u32 = 200, "messages a day", "test messages, resends and re-enabling of an account's endpoints", "messages are kept for 30 days";
    COMMAND_BYTES_PER_DAY: u64 = 64 * 1024 * 1024, "bytes a day", "a user's commands and their replies", "they are kept, and a person writes far less";
    UNPROVED_BYTES_PER_DAY: u64 = 1024 * 1024, "bytes a day", "stored bytes of commands of a user who has not proved the address", "to register costs nothing";
    UNPROVED_ADDRESS_BYTES_PER_DAY: u64 = 4 * 1024 * 1024, "bytes a day", "stored bytes of commands of all such users who share a network address", "one person may register often";
    REFUSED_BYTES_PER_DAY: u64 = 4 * 1024 * 1024, "bytes a day", "a user's refused commands", "they are kept as well";
    COMMAND_BYTES_LEAST: u64 = 256, "bytes", "the least that a command uses of these bytes", "a row is larger than its payload";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{env, fs};

    const BEGIN: &str = "| limit of | value | reason |\n|---|---|---|\n";

    /// Writes a number with spaces between thousands, and bytes in their largest whole unit.
    fn shown(Limit { value, unit, .. }: &Limit) -> String {
        let (value, unit) = match unit.strip_prefix("bytes") {
            Some(rest) if value.is_multiple_of(1024 * 1024) => (value / 1024 / 1024, format!("MiB{rest}")),
            Some(rest) if value.is_multiple_of(1024) => (value / 1024, format!("KiB{rest}")),
            _ => (*value, (*unit).to_owned()),
        };
        match value {
            0..1_000 => format!("{value} {unit}"),
            _ => format!("{} {:03} {unit}", value / 1_000, value % 1_000),
        }
    }

    #[test]
    fn the_document_has_the_table() {
        let row = |limit: &Limit| format!("| {} | {} | {} |\n", limit.of, shown(limit), limit.why);
        let rows: String = LIMITS.iter().map(row).collect();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/reference/limits.md");
        let text = fs::read_to_string(path).expect("docs/reference/limits.md");
        let (before, rest) = text.split_once(BEGIN).expect("the head of the table");
        let end = rest.find("\n\n").map_or(rest.len(), |at| at + 1);
        if env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(path, [before, BEGIN, &rows, &rest[end..]].concat()).expect("written");
        } else {
            assert_eq!(
                &rest[..end],
                rows,
                "`UPDATE_GOLDEN=1 cargo test -p host-business --lib limits` writes the table"
            );
        }
    }
}
