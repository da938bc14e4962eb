//! Several callers at once, through a host's writer over SQLite, with the extension and providers beside it.

mod writer {
    mod load;
    mod support;
    mod webhooks;
}
