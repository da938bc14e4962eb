//! What people do on their own pages: they sign up for a plan, change what the server knows of them, and join a team.

use super::pages::{OWN, PASSWORD, arrive, follow, kept, own, register, submit, visit};
use super::raw::Answer;
use super::server::TestServer;
use serde_json::{Value, json};

/// Returns what a form on `/account` says.
fn sends(api: &TestServer, cookie: &str, form: &str, fields: &str) -> Answer {
    arrive(api, form, &own(cookie), &format!("_page=/account&{fields}"))
}

fn log_in(api: &TestServer, email: &str, password: &str) -> (u16, String) {
    let form = format!("_page=/login&email={email}&password={password}&return_to=/dashboard");
    let sent = submit(api, "log_in", &OWN, &form);
    let location = sent.header("location").unwrap_or_default();
    (if location == "/dashboard" { 200 } else { 401 }, kept("", &sent))
}

fn me(api: &TestServer, cookie: &str) -> Value {
    api.request("GET /api/auth/me", &[("Cookie", cookie)], b"").json
}

/// Returns a text as the value of a query.
fn encoded(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    text.bytes()
        .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[test]
fn a_user_changes_the_name_and_the_password() {
    let api = TestServer::start("solobase");
    let ada = register(&api, "ada@example.com");
    let (_, phone) = log_in(&api, "ada@example.com", PASSWORD);
    let named = sends(&api, &ada, "change_profile", "name=+Ada+Lovelace+");
    assert!(named.body.contains("Your name is saved.") && named.body.contains("<dd>Ada Lovelace</dd>"), "{named:?}");
    let long = sends(&api, &ada, "change_profile", &format!("name={}", "n".repeat(201)));
    assert!(long.status == 422 && long.body.contains("id=\"e-name\""), "{long:?}");
    assert!(long.body.contains("<details open><summary>Change the name"), "{}", long.body);
    assert_eq!(me(&api, &ada)["name"], "Ada Lovelace");
    sends(&api, &ada, "change_profile", "name=");
    assert_eq!(me(&api, &ada)["name"], Value::Null);

    let wrong = sends(&api, &ada, "change_password", "password=wrong&new_password=a+new+horse+battery");
    assert!(wrong.status == 403 && wrong.body.contains("The password is wrong."), "{wrong:?}");
    let weak = sends(&api, &ada, "change_password", &format!("password={PASSWORD}&new_password=short"));
    assert!(weak.status == 422 && weak.body.contains("id=\"e-new_password\""), "{weak:?}");
    assert_eq!(me(&api, &phone)["email"], "ada@example.com", "nothing has changed yet");
    let set = format!("password={PASSWORD}&new_password=a+new+horse+battery");
    let changed = sends(&api, &ada, "change_password", &set);
    assert!(changed.body.contains("Your password is changed"), "{changed:?}");
    assert_eq!(visit(&api, "/account", &[("Cookie", &phone)]).status, 303, "the other device is logged out");
    assert_eq!(me(&api, &ada)["email"], "ada@example.com");
    assert_eq!(log_in(&api, "ada@example.com", PASSWORD).0, 401);
    assert_eq!(log_in(&api, "ada@example.com", "a+new+horse+battery").0, 200);
}

#[test]
fn a_user_moves_to_an_address_that_the_user_reads() {
    let api = TestServer::keeping_secrets("solobase");
    let ada = register(&api, "ada@example.com");
    let bob = register(&api, "bob@example.com");
    let (_, phone) = log_in(&api, "ada@example.com", PASSWORD);
    let wrong = sends(&api, &ada, "change_address", "email=ada@new.example&password=wrong");
    assert!(wrong.status == 403 && wrong.body.contains("value=\"ada@new.example\""), "{wrong:?}");
    let same = sends(&api, &ada, "change_address", &format!("email=ADA@example.com&password={PASSWORD}"));
    assert!(same.status == 422 && same.body.contains("id=\"e-email\""), "{same:?}");
    let sent = sends(&api, &ada, "change_address", &format!("email=ada@new.example&password={PASSWORD}"));
    assert!(sent.body.contains("We sent a link to the new address."), "{sent:?}");
    assert_eq!(me(&api, &ada)["email"], "ada@example.com", "until the link is used");
    let token = api.token("address_confirmation", "ada@new.example", 1);
    // The link alone gives nobody anything.
    let page = format!("/auth/address?token={token}");
    assert_eq!(visit(&api, &page, &[]).status, 303);
    let form = format!("_page={}&token={token}", encoded(&page));
    let of_another = arrive(&api, "move_address", &own(&bob), &form);
    assert_eq!((of_another.status, me(&api, &bob)["email"].as_str()), (403, Some("bob@example.com")));
    let reset = api.post("/api/auth/password", "", &json!({"token": token, "password": "a new horse battery"}));
    assert_eq!(reset.status, 410, "it sets no password");

    let moved = submit(&api, "move_address", &own(&ada), &form);
    assert_eq!(moved.header("location"), Some("/account"), "{moved:?}");
    assert_eq!((&me(&api, &ada)["email"], &me(&api, &ada)["is_confirmed"]), (&json!("ada@new.example"), &json!(true)));
    assert_eq!(visit(&api, "/account", &[("Cookie", &phone)]).status, 303, "the other device is logged out");
    assert_eq!((log_in(&api, "ada@example.com", PASSWORD).0, log_in(&api, "ada@new.example", PASSWORD).0), (401, 200));
    let again = arrive(&api, "move_address", &own(&ada), &form);
    assert_eq!(again.status, 410, "it works once: {again:?}");

    // An address that somebody else has verified stays with that person.
    let proof = api.token("address_confirmation", "bob@example.com", 1);
    submit(&api, "confirm", &own(&bob), &format!("_page=/auth/confirm&token={proof}"));
    let sent = sends(&api, &ada, "change_address", &format!("email=bob@example.com&password={PASSWORD}"));
    assert!(sent.body.contains("We sent a link to the new address."), "nobody learns who is registered: {sent:?}");
    let token = api.token("address_confirmation", "bob@example.com", 2);
    let taken = arrive(&api, "move_address", &own(&ada), &format!("_page=/account&token={token}"));
    assert!(taken.status == 409 && me(&api, &ada)["email"] == "ada@new.example", "{taken:?}");
}

#[test]
fn a_user_sees_where_the_user_is_logged_in_and_logs_others_out() {
    let api = TestServer::start("solobase");
    let ada = register(&api, "ada@example.com");
    let bob = register(&api, "bob@example.com");
    let phone = log_in(&api, "ada@example.com", PASSWORD).1;
    let tablet = log_in(&api, "ada@example.com", PASSWORD).1;
    let listed = |cookie: &str| {
        let found = api.request("GET /api/auth/sessions", &[("Cookie", cookie)], b"").json;
        found["sessions"].as_array().expect("a list").clone()
    };
    assert_eq!(listed(&ada).len(), 3);
    let page = visit(&api, "/account", &[("Cookie", &ada)]).body;
    assert_eq!((page.matches("This device").count(), page.matches("/do/end_session\"").count()), (1, 2), "{page}");
    let of_phone = listed(&phone).into_iter().find(|session| session["is_current"] == true).expect("one");
    let id = of_phone["id"].as_str().expect("an id");
    let foreign = sends(&api, &bob, "end_session", &format!("id={id}"));
    assert_eq!((foreign.status, listed(&ada).len()), (404, 3), "{foreign:?}");
    let ended = sends(&api, &ada, "end_session", &format!("id={id}"));
    assert!(ended.body.contains("The device is logged out."), "{ended:?}");
    assert_eq!(visit(&api, "/account", &[("Cookie", &phone)]).status, 303);
    assert_eq!(visit(&api, "/account", &[("Cookie", &tablet)]).status, 200);
    let ended = sends(&api, &ada, "end_other_sessions", "");
    assert!(ended.body.contains("All other devices are logged out."), "{ended:?}");
    assert_eq!(visit(&api, "/account", &[("Cookie", &tablet)]).status, 303);
    assert_eq!((listed(&ada).len(), listed(&bob).len()), (1, 1));
}

#[test]
fn a_visitor_keeps_the_chosen_plan_from_the_prices_to_the_checkout() {
    let api = TestServer::start("solobase");
    let pricing = visit(&api, "/pricing", &[]).body;
    assert!(
        pricing.contains("method=\"get\" action=\"/subscribe\"") && !pricing.contains("/do/subscribe"),
        "{pricing}"
    );
    let page = "/subscribe?plan=prod_starter";
    let chosen = visit(&api, page, &[]).body;
    assert!(chosen.contains("Subscribe to Starter") && chosen.contains("/do/register"), "{chosen}");
    assert!(chosen.contains("/login?return_to=&#x2f;subscribe%3Fplan%3Dprod_starter"), "{chosen}");
    let to = encoded(page);
    let refused = format!("_page={to}&return_to={to}&email=ada@example.com&password=short");
    let refused = arrive(&api, "register", &OWN, &refused);
    assert!(refused.status == 422 && refused.body.contains("Subscribe to Starter"), "{refused:?}");
    let form = format!("_page={to}&return_to={to}&email=ada@example.com&password={PASSWORD}");
    let registered = submit(&api, "register", &OWN, &form);
    assert_eq!(registered.header("location"), Some(page), "{registered:?}");
    let (next, ada) = follow(&api, &registered, &OWN);
    assert!(next.body.contains("Continue to checkout") && next.body.contains("value=\"prod_starter\""), "{next:?}");
    api.answer("account-customer:*", json!({"id": "cus_ada"}));
    api.sells();
    let bought = submit(&api, "subscribe", &own(&ada), &format!("_page={to}&plan=prod_starter&interval=month"));
    assert_eq!(bought.header("location"), Some("https://checkout.example/open"), "{bought:?}");
    let nothing = visit(&api, "/subscribe?plan=prod_none", &[]).body;
    assert!(nothing.contains("This plan is not on sale.") && !nothing.contains("/do/register"), "{nothing}");

    // Whoever has a plan sees first what a change costs.
    let id = me(&api, &ada)["id"].as_str().expect("an id").to_owned();
    api.stripe(&format!(
        "{{stripe: customer.subscription.created, id: evt_1, set: {{id: sub_1, customer: cus_ada, metadata: {{user_id: {id}}}, \
         price: price_professional_monthly}}}}"
    ));
    let held = visit(&api, "/subscribe?plan=prod_starter", &[("Cookie", &ada)]).body;
    assert!(held.contains("You have a plan already.") && !held.contains("Continue to checkout"), "{held}");
}

#[test]
fn the_first_dashboard_has_one_next_step() {
    let primary = |api: &TestServer, cookie: &str| {
        let page = visit(api, "/dashboard", &[("Cookie", cookie)]).body;
        let main = page.split("<main").nth(1).expect("a main part").to_owned();
        let steps: Vec<String> = main
            .split("class=\"button\" href=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap_or_default().to_owned())
            .collect();
        (steps, main)
    };
    // Without a plan, nothing can be created.
    let api = TestServer::start("solobase");
    let ada = register(&api, "ada@example.com");
    let (steps, main) = primary(&api, &ada);
    assert_eq!(steps, ["/pricing"], "{main}");
    assert!(main.contains("Choose a plan first. Then you can create an instance."), "{main}");
    let id = me(&api, &ada)["id"].as_str().expect("an id").to_owned();
    api.stripe(&format!(
        "{{stripe: customer.subscription.created, id: evt_1, set: {{id: sub_1, customer: cus_1, metadata: {{user_id: {id}}}, \
         price: price_professional_monthly}}}}"
    ));
    assert_eq!(primary(&api, &ada).0, ["/instances/new"]);
    // A plan that everybody has allows one.
    let api = TestServer::start("podcasts");
    let ada = register(&api, "ada@example.com");
    let (steps, main) = primary(&api, &ada);
    assert_eq!(steps, ["/instances/new"], "{main}");
    assert!(main.contains("Create a show") && !main.contains("nstance</"), "{main}");
}

#[test]
fn whoever_is_invited_lands_in_the_organization_and_sees_what_it_has() {
    let api = TestServer::keeping_secrets("solobase");
    let (owner, _) = api.proved("ada@example.com");
    let choir = api.ok("POST /api/auth/organizations", &owner, &json!({"name": "Choir"}));
    let (id, account) = (choir["id"].as_str().expect("an id"), choir["account"].as_str().expect("an account"));
    let ada = log_in(&api, "ada@example.com", PASSWORD).1;
    let team = visit(&api, &format!("/team/{id}"), &[("Cookie", &ada)]).body;
    for role in ["member", "viewer", "owner"] {
        assert!(team.contains(&format!("<option value=\"{role}\"")), "{role}: {team}");
    }
    assert!(team.contains("The only owner") && !team.contains("/do/remove_member"), "{team}");
    let form = format!("_page=/team/{id}&organization={id}&email=bob@example.com&role=viewer");
    let invited = arrive(&api, "invite_member", &own(&ada), &form);
    assert!(invited.body.contains("The invitation is on its way.") && invited.body.contains("Withdraw"), "{invited:?}");
    api.stripe(&format!(
        "{{stripe: customer.subscription.created, id: evt_1, set: {{id: sub_1, customer: cus_1, metadata: {{organization_id: {id}}}, \
         price: price_professional_monthly}}}}"
    ));

    // A visitor with the link learns where the invitation leads, and signs up with its address.
    let token = api.token("organization_invitation", "bob@example.com", 1);
    let page = format!("/auth/invitation?token={token}");
    let shown = visit(&api, &page, &[]).body;
    let to = encoded(&page);
    let sign_up =
        format!("/register?return_to=&#x2f;auth&#x2f;invitation%3Ftoken%3D{token}&amp;email=bob%40example.com");
    assert!(shown.contains("Join Choir") && shown.contains(&sign_up), "{shown}");
    assert!(visit(&api, "/auth/invitation?token=wrong", &[]).body.contains("expired or was withdrawn"));
    let sign_up = visit(&api, &format!("/register?return_to={to}&email=bob@example.com"), &[]).body;
    assert!(sign_up.contains("value=\"bob@example.com\""), "{sign_up}");
    let form = format!("_page=/register&return_to={to}&email=bob@example.com&password={PASSWORD}");
    let registered = submit(&api, "register", &OWN, &form);
    assert_eq!(registered.header("location"), Some(page.as_str()));
    let (asked, bob) = follow(&api, &registered, &OWN);
    assert!(asked.body.contains("Join the organization"), "{asked:?}");
    let joined = submit(&api, "join", &own(&bob), &format!("_page={to}&token={token}"));
    let dashboard = joined.header("location").expect("a location").to_owned();
    assert!(dashboard.starts_with("/dashboard?account="), "{dashboard}");
    let landed = visit(&api, &dashboard, &[("Cookie", &bob), ("Sec-Fetch-Site", "same-origin")]);
    assert!(landed.status == 200 && landed.body.contains("Professional"), "{landed:?}");
    assert!(landed.head.contains("set-cookie: account-"), "the browser stays with the organization: {}", landed.head);
    let billing = visit(&api, &format!("/billing?account={account}"), &[("Cookie", &bob)]);
    assert!(billing.status == 200 && billing.body.contains("Professional"), "{billing:?}");
    // A stranger sees nothing of it.
    let eve = register(&api, "eve@example.com");
    let refused = visit(&api, &format!("/dashboard?account={account}"), &[("Cookie", &eve)]);
    assert!(refused.status >= 400 && !refused.body.contains("Professional"), "{refused:?}");
    assert_eq!(visit(&api, &format!("/team/{id}"), &[("Cookie", &eve)]).status, 404);
}

#[test]
fn an_instance_gets_another_name_and_its_page_leads_back() {
    let api = TestServer::start("podcasts");
    let ada = register(&api, "ada@example.com");
    let made = submit(&api, "create_instance", &own(&ada), "_page=/instances/new&name=Wedding&metadata.label=wedding");
    let page = made.header("location").unwrap_or_else(|| panic!("{made:?}")).to_owned();
    assert!(page.starts_with("/instances/"), "{:?}", follow(&api, &made, &own(&ada)).0);
    api.settle();
    let shown = visit(&api, &page, &[("Cookie", &ada)]).body;
    assert!(shown.contains("href=\"/dashboard\">Dashboard</a>") && shown.contains("Delete this show"), "{shown}");
    let id = page.trim_start_matches("/instances/");
    let renamed = arrive(&api, "rename_instance", &own(&ada), &format!("_page={page}&id={id}&name=Our+wedding"));
    assert!(
        renamed.body.contains("<h1>Our wedding</h1>") && renamed.body.contains("The name is changed."),
        "{renamed:?}"
    );
    let empty = arrive(&api, "rename_instance", &own(&ada), &format!("_page={page}&id={id}&name="));
    assert!(
        empty.status == 422 && empty.body.contains("<details class=\"card apart\" open><summary>Change"),
        "{empty:?}"
    );
}
