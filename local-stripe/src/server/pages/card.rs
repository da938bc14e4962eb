//! The card form: its fields, the buyer's input, and the payment method that is created from the input.

use super::html::{Html, html};
use super::{Shared, field};
use crate::cards;
use crate::form::Form;
use crate::sandbox::{Response, json_of, own_request};

/// The input that a form shows again after an error. The CVC is not shown again.
#[derive(Default)]
pub(super) struct CardInput {
    pub(super) email: String,
    pub(super) number: String,
    pub(super) expiry: String,
    pub(super) name: String,
    /// Whether the checkbox to save the card is ticked.
    pub(super) saves: bool,
    /// The whole form, for the additional fields that a session asks for.
    pub(super) form: Form,
}

/// An error message, and the form field that it refers to.
pub(super) struct FieldError {
    message: String,
    field: &'static str,
}

impl FieldError {
    fn about(field: &'static str, message: &str) -> Self {
        Self { message: message.to_owned(), field }
    }

    /// Converts the error response of an API call.
    pub(super) fn of(response: &Response) -> Self {
        let error = &json_of(response)["error"];
        let param = error["param"].as_str().unwrap_or_default();
        let field = match param {
            "code" => "code",
            "cvc" => "cardCvc",
            p if p.contains("exp_") => "cardExpiry",
            _ => "cardNumber",
        };
        Self { message: error["message"].as_str().unwrap_or("Something went wrong.").to_owned(), field }
    }

    pub(super) fn html(&self) -> Html {
        html!("<p class=\"error\" role=\"alert\" id=\"error\">{message}</p>", message = self.message)
    }
}

impl CardInput {
    /// Reads the input. A number that may belong to a real card is replaced with an empty one, so that no page shows
    /// it.
    pub(super) fn of(form: &Form) -> Self {
        let number = field(form, "number");
        Self {
            email: field(form, "email").to_owned(),
            number: if may_be_real(number) { String::new() } else { number.to_owned() },
            expiry: field(form, "expiry").to_owned(),
            name: field(form, "name").to_owned(),
            saves: field(form, "save") == "on",
            form: form.clone(),
        }
    }
}

fn may_be_real(number: &str) -> bool {
    cards::passes_luhn(number) && cards::by_number(number).is_none()
}

/// A card form.
pub(super) struct CardForm<'f> {
    pub(super) action: &'f str,
    pub(super) button: &'f str,
    pub(super) asks_email: bool,
    pub(super) asks_to_save: bool,
    /// Additional fields above the button, and a text below it.
    pub(super) more: (Html, Option<Html>),
    pub(super) typed: &'f CardInput,
    pub(super) fault: Option<&'f FieldError>,
}

impl CardForm<'_> {
    pub(super) fn html(&self) -> Html {
        // `autocomplete="off"` prevents the browser from offering its saved cards, which are real.
        let email = self.asks_email.then(|| {
            let kind = html!("type=\"email\" autocomplete=\"email\"");
            self.input("email", "email", "Email", &kind, &self.typed.email)
        });
        let number = html!("inputmode=\"numeric\" autocomplete=\"off\" placeholder=\"1234 1234 1234 1234\"");
        let expiry = html!("inputmode=\"numeric\" autocomplete=\"off\" placeholder=\"MM / YY\"");
        let cvc = html!("inputmode=\"numeric\" autocomplete=\"off\" placeholder=\"123\" maxlength=\"4\"");
        html!(
            "<form method=\"post\" action=\"{action}\" class=\"card-form\">{fault}{email}{number}\
             <div class=\"pair\">{expiry}{cvc}</div>{name}{save}{more}\
             <button id=\"submit\" class=\"primary\" type=\"submit\">{button}</button>{after}</form>{hint}",
            action = self.action,
            fault = self.fault.map(FieldError::html),
            email = email,
            number = self.input("cardNumber", "number", "Card number", &number, &self.typed.number),
            expiry = self.input("cardExpiry", "expiry", "Expiry", &expiry, &self.typed.expiry),
            cvc = self.input("cardCvc", "cvc", "CVC", &cvc, ""),
            name =
                self.input("billingName", "name", "Name on the card", &html!("autocomplete=\"off\""), &self.typed.name),
            save = self.asks_to_save.then(|| save(self.typed.saves)),
            more = self.more.0,
            after = self.more.1,
            button = self.button,
            hint = test_cards(),
        )
    }

    fn input(&self, id: &str, name: &str, label: &str, attributes: &Html, value: &str) -> Html {
        let wrong = self.fault.is_some_and(|f| f.field == id);
        html!(
            "<div class=\"field\"><label for=\"{id}\">{label}</label>\
             <input id=\"{id}\" name=\"{name}\" required {attributes} value=\"{value}\"{wrong}></div>",
            id = id,
            label = label,
            name = name,
            attributes = attributes,
            value = value,
            wrong = wrong.then(|| html!(" aria-invalid=\"true\" aria-describedby=\"error\" autofocus")),
        )
    }
}

/// The checkbox to save the card for other purchases.
fn save(is_ticked: bool) -> Html {
    html!(
        "<label class=\"choice\"><input id=\"save\" name=\"save\" type=\"checkbox\"{ticked}> \
         Save this card for future purchases</label>",
        ticked = is_ticked.then(|| html!(" checked")),
    )
}

fn test_cards() -> Html {
    html!(
        "<div class=\"hint\"><h3>Test cards</h3><dl><div><dt>4242 4242 4242 4242</dt><dd>succeeds</dd></div>\
         <div><dt>4000 0000 0000 0002</dt><dd>is declined</dd></div>\
         <div><dt>4000 0025 0000 3155</dt><dd>asks for 3-D Secure</dd></div></dl>\
         <p>Any future date, any CVC. Never type a real card’s number.</p></div>"
    )
}

/// Creates a payment method from the input and returns its id.
pub(super) fn make(shared: &Shared, form: &Form) -> Result<String, FieldError> {
    let number = field(form, "number");
    if may_be_real(number) {
        // A real card's number is refused here, so that no state file stores it.
        let message = "Your card was declined. This is a sandbox: use a test card, never a real one.";
        return Err(FieldError::about("cardNumber", message));
    }
    let (month, year) = expiry(field(form, "expiry"))
        .ok_or_else(|| FieldError::about("cardExpiry", "Your card's expiration date is incomplete."))?;
    let cvc = field(form, "cvc");
    if !(3..=4).contains(&cvc.len()) || !cvc.bytes().all(|b| b.is_ascii_digit()) {
        return Err(FieldError::about("cardCvc", "Your card's security code is incomplete."));
    }
    let mut fields = vec![
        ("type", "card"),
        ("card[number]", number),
        ("card[exp_month]", month),
        ("card[exp_year]", year),
        ("card[cvc]", cvc),
        ("billing_details[name]", field(form, "name")),
    ];
    let email = field(form, "email");
    if !email.is_empty() {
        fields.push(("billing_details[email]", email));
    }
    if field(form, "save") == "on" {
        fields.push(("allow_redisplay", "always"));
    }
    let made = shared.handle(&own_request("POST", "/v1/payment_methods", &fields));
    let method = json_of(&made)["id"].as_str().map(str::to_owned).filter(|_| made.status == 200);
    method.ok_or_else(|| FieldError::of(&made))
}

/// Splits an expiry such as `12 / 34` or `1234` into month and year.
fn expiry(text: &str) -> Option<(&str, &str)> {
    let (month, year) = match text.split_once('/') {
        Some(halves) => halves,
        None if text.len() == 4 && text.is_ascii() => text.split_at(2),
        None => return None,
    };
    let (month, year) = (month.trim(), year.trim());
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    (digits(month) && digits(year)).then_some((month, year))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expiries_are_split_into_month_and_year() {
        for (text, read) in [
            ("12 / 34", Some(("12", "34"))),
            ("1/2034", Some(("1", "2034"))),
            ("1234", Some(("12", "34"))),
            ("12", None),
            ("12/", None),
            ("a/b", None),
            ("é12", None),
        ] {
            assert_eq!(expiry(text), read, "{text}");
        }
    }

    #[test]
    fn a_number_that_may_be_real_is_not_kept() {
        let kept = |number: &str| CardInput::of(&form_of(number)).number;
        assert_eq!(kept("4000 0000 0000 0002"), "4000 0000 0000 0002");
        assert_eq!(kept("4242 4242 4242 4241"), "4242 4242 4242 4241", "mistyped, so kept for correction");
        assert_eq!(kept("4111 1111 1111 1111"), "");
    }

    fn form_of(number: &str) -> Form {
        [("number".to_owned(), crate::form::Node::Text(number.to_owned()))].into()
    }
}
