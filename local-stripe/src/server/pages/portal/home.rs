//! The portal's first page: an overview of plans, card and invoices.

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{Response as HttpResponse, StatusCode};

use super::{Visit, item, notice};
use crate::billing::period::period;
use crate::calendar::date_text;
use crate::money;
use crate::object::Object;
use crate::portal;
use crate::server::Shared;
use crate::server::pages::documents::badge;
use crate::server::pages::html::{Html, html};
use crate::server::pages::{layout, words};
use crate::state::State as Account;

/// The maximum number of invoices on the first page.
const INVOICES_MAX: usize = 12;

/// `GET /p/session/{id}`: shows the overview, or redirects to the step of the session's flow.
pub(in crate::server::pages) async fn show(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> HttpResponse<Body> {
    let visit = match Visit::start(&shared, &id) {
        Ok(visit) => visit,
        Err(refusal) => return *refusal,
    };
    let query = query.unwrap_or_default();
    if query.is_empty()
        && let Some(path) = flow_path(&visit.session)
    {
        return layout::go(&visit.path(&path));
    }
    let shown_notice = notice_of(&query);
    let work = shared.read(|s| {
        html!(
            "{notice}{plans}{card}{invoices}",
            notice = shown_notice,
            plans = plans_section(s.state(), &visit),
            card = card_section(s.state(), &visit),
            invoices = invoices_section(s.state(), &visit),
        )
    });
    visit.page(StatusCode::OK, "Billing", &work)
}

/// Renders the notice about the step that has finished or failed according to the query.
fn notice_of(query: &str) -> Option<Html> {
    if query.ends_with("redirect_status=failed") {
        return Some(html!(
            "<p class=\"error\" role=\"alert\" id=\"error\">Your plan was not changed: the authentication failed.</p>"
        ));
    }
    let done = match query.strip_prefix("done=") {
        Some(done) => done,
        None if query.ends_with("redirect_status=succeeded") => "updated",
        None => return None,
    };
    Some(html!("<p class=\"notice\" role=\"status\" id=\"notice\">{words}</p>", words = notice(done)))
}

fn flow_path(session: &Object) -> Option<String> {
    let kind = session.text_at("flow.type")?;
    let about = session.at(&format!("flow.{kind}"));
    let subscription = about["subscription"].as_str().unwrap_or_default();
    Some(match kind {
        "payment_method_update" => "/card".to_owned(),
        "subscription_cancel" => format!("/{subscription}/cancel"),
        "subscription_update" => format!("/{subscription}/plans"),
        _ => format!("/{subscription}/plans/{}", about["items"][0]["price"].as_str().unwrap_or_default()),
    })
}

fn plans_section(st: &Account, visit: &Visit) -> Html {
    let all = st.newest("subscription", Some(visit.customer.id())).filter(|s| portal::is_live(s));
    let shown: Vec<Html> = all.map(|s| plan(st, visit, &s)).collect();
    let none = shown.is_empty().then(|| html!("<p class=\"dim\">There is no current plan.</p>"));
    html!(
        "<section class=\"card\" aria-labelledby=\"plans\"><h2 id=\"plans\">Current plan</h2>{none}{shown}</section>",
        none = none,
        shown = shown.into_iter().collect::<Html>(),
    )
}

fn plan(st: &Account, visit: &Visit, sub: &Object) -> Html {
    let items: Html = sub.list_at("items").iter().map(|i| item(st, i)).collect();
    let ends = sub.int_at("cancel_at");
    let end = period(sub).map(|p| p.1).unwrap_or_default();
    let next = match ends {
        Some(at) => format!("Ends on {}. Until then, everything stays as it is.", date_text(at)),
        None if sub.text("status") == "trialing" => format!("The trial ends on {}; then it renews.", date_text(end)),
        None => format!("Renews on {}.", date_text(end)),
    };
    let base = visit.path(&format!("/{}", sub.id()));
    let change = (!portal::offers(st, &visit.configuration, sub).is_empty())
        .then(|| html!("<a id=\"change\" class=\"primary\" href=\"{base}/plans\">Change plan</a>", base = base));
    let cancel = (visit.allows("subscription_cancel") && ends.is_none())
        .then(|| html!("<a id=\"end\" class=\"second\" href=\"{base}/cancel\">Cancel plan</a>", base = base));
    let resume = (visit.allows("subscription_cancel") && sub.is("cancel_at_period_end")).then(|| {
        html!(
            "<form method=\"post\" action=\"{base}/resume\"><button id=\"resume\" class=\"second\">Don’t cancel plan</button></form>",
            base = base,
        )
    });
    html!(
        "<article class=\"plan\">{items}<p>{badge} <span class=\"dim\">{next}</span></p>\
         <div class=\"actions\">{change}{cancel}{resume}</div></article>",
        items = items,
        badge = if ends.is_some() {
            html!("<span class=\"badge plain\">Cancelled</span>")
        } else {
            badge(sub.text("status"))
        },
        next = next,
        change = change,
        cancel = cancel,
        resume = resume,
    )
}

fn card_section(st: &Account, visit: &Visit) -> Html {
    let own = visit.customer.text_at("invoice_settings.default_payment_method").map(str::to_owned);
    let of_plan = || {
        let mut plans = st.newest("subscription", Some(visit.customer.id())).filter(|s| portal::is_live(s));
        plans.find_map(|s| s.text_at("default_payment_method").map(str::to_owned))
    };
    let method = of_plan().or(own).map(|id| st.copy_if_any(&id));
    let shown = match &method {
        Some(method) => html!(
            "<p><strong>{card}</strong> <span class=\"dim\">expires {month}/{year}</span></p>",
            card = words::card(method.get("card")),
            month = method.int_at("card.exp_month").unwrap_or_default(),
            year = method.int_at("card.exp_year").unwrap_or_default(),
        ),
        None => html!("<p class=\"dim\">There is no card.</p>"),
    };
    let change = visit.allows("payment_method_update").then(|| {
        html!(
            "<div class=\"actions\"><a id=\"card\" class=\"second\" href=\"{path}\">{words}</a></div>",
            path = visit.path("/card"),
            words = if method.is_some() { "Replace card" } else { "Add a card" },
        )
    });
    html!(
        "<section class=\"card\" aria-labelledby=\"method\"><h2 id=\"method\">Payment method</h2>{shown}{change}</section>",
        shown = shown,
        change = change,
    )
}

fn invoices_section(st: &Account, visit: &Visit) -> Option<Html> {
    if !visit.allows("invoice_history") {
        return None;
    }
    let issued = |i: &std::sync::Arc<Object>| i.text("status") != "draft";
    let all = st.newest("invoice", Some(visit.customer.id())).filter(issued).take(INVOICES_MAX);
    let rows: Vec<Html> = all
        .map(|invoice| {
            html!(
                "<li><div><p><a href=\"/_sandbox/invoices/{id}\">{number}</a></p><p class=\"dim\">{date}</p></div>\
                 <p class=\"amount\">{total} {badge}</p></li>",
                id = invoice.id(),
                number = invoice.text("number"),
                date = date_text(invoice.int("created")),
                badge = badge(invoice.text("status")),
                total = money::display(invoice.int("total"), invoice.text("currency")),
            )
        })
        .collect();
    let listed = if rows.is_empty() {
        html!("<p class=\"dim\">There are no invoices yet.</p>")
    } else {
        html!("<ul class=\"offers invoices\">{rows}</ul>", rows = rows.into_iter().collect::<Html>())
    };
    Some(html!(
        "<section class=\"card\" aria-labelledby=\"invoices\"><h2 id=\"invoices\">Invoices</h2>{listed}</section>",
        listed = listed,
    ))
}
