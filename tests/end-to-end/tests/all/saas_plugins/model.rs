//! Compares random sequences of commands about tokens with a small model that shares no code with the extension. The
//! model contains the paid subscription, and the time of issue and the revocation of each token.

use super::tokens::{EDITOR, gives, subscribed, subscription, tokens};
use end_to_end::world::{START_MS, World};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

const DAY_MS: i64 = 86_400_000;
const LIVE_MAX: usize = 10;

#[derive(Clone, Debug)]
enum Step {
    Wait(i64),
    Issue,
    /// Redeems the token with this number, modulo the number of tokens.
    Redeem(usize),
    Revoke(usize),
    End,
    Begin,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => prop_oneof![Just(1), Just(DAY_MS - 1), Just(DAY_MS), 0..2 * DAY_MS, 0..DAY_MS / 8].prop_map(Step::Wait),
        6 => Just(Step::Issue),
        6 => any::<usize>().prop_map(Step::Redeem),
        2 => any::<usize>().prop_map(Step::Revoke),
        1 => Just(Step::End),
        2 => Just(Step::Begin),
    ]
}

/// The model of one token.
struct Token {
    id: String,
    issued_at: i64,
    revoked: bool,
    redeemed: i64,
}

#[derive(Default)]
struct Model {
    /// Number of the paid subscription, if any.
    paid: Option<usize>,
    subscriptions: usize,
    tokens: Vec<Token>,
}

impl Model {
    fn is_live(token: &Token, now: i64) -> bool {
        !token.revoked && now < token.issued_at + DAY_MS
    }

    /// Returns the expected result of a step, and updates the model.
    fn expects(&mut self, step: &Step, now: i64) -> String {
        let live = self.tokens.iter().filter(|token| Model::is_live(token, now)).count();
        let picked = |number: usize, count: usize| (count > 0).then(|| number % count);
        match step {
            Step::Issue if self.paid.is_none() => "requirement-unmet(subscription_required)".to_owned(),
            Step::Issue if live >= LIVE_MAX => "quota-exceeded".to_owned(),
            Step::Redeem(number) => match picked(*number, self.tokens.len()).map(|at| &mut self.tokens[at]) {
                None => String::new(),
                Some(token) if token.revoked => "requirement-unmet(token_revoked)".to_owned(),
                Some(token) if now >= token.issued_at + DAY_MS => "requirement-unmet(token_expired)".to_owned(),
                Some(token) => {
                    token.redeemed += 1;
                    "applied".to_owned()
                }
            },
            Step::Revoke(number) => match picked(*number, self.tokens.len()).map(|at| &mut self.tokens[at]) {
                None => String::new(),
                Some(token) if Model::is_live(token, now) => {
                    token.revoked = true;
                    "applied".to_owned()
                }
                Some(_) => "bad-transition".to_owned(),
            },
            Step::End => {
                self.tokens
                    .iter_mut()
                    .filter(|token| Model::is_live(token, now))
                    .for_each(|token| token.revoked = true);
                "applied".to_owned()
            }
            Step::Issue | Step::Begin | Step::Wait(_) => "applied".to_owned(),
        }
    }
}

/// Plays a step on the host and returns the result; `None` if the step does not apply.
fn play(world: &mut World, model: &mut Model, number: usize, step: &Step) -> Option<String> {
    let id = format!("step_{number}");
    let token = |number: &usize, model: &Model| {
        let count = model.tokens.len();
        (count > 0).then(|| model.tokens[number % count].id.clone())
    };
    match step {
        Step::Wait(ms) => {
            world.advance_to(world.clock() + ms).expect("the store has no fault");
            Some("applied".to_owned())
        }
        Step::Issue => Some(gives(world, &id, "token.issue", "A", "user:A", json!({"product": EDITOR}))),
        Step::Redeem(number) => {
            let token = token(number, model)?;
            let rows = tokens(world);
            let (_, row) = rows.iter().find(|(id, _)| *id == token).expect("a token stays");
            let payload = json!({"id": token, "sha256": row["sha256"]});
            Some(gives(world, &id, "token.redeem", "host", "user:A", payload))
        }
        Step::Revoke(number) => {
            let token = token(number, model)?;
            Some(gives(world, &id, "token.revoke", "A", "user:A", json!({"id": token})))
        }
        Step::End => {
            let paid = model.paid.take()?;
            // Stripe's times are whole seconds. An end in the same second as the start still ends the subscription.
            subscription(world, &format!("life_{number}"), &format!("sub_{paid}"), "deleted", "canceled");
            Some("applied".to_owned())
        }
        Step::Begin => {
            if model.paid.is_some() {
                return None;
            }
            model.subscriptions += 1;
            model.paid = Some(model.subscriptions);
            subscription(
                world,
                &format!("life_{number}"),
                &format!("sub_{}", model.subscriptions),
                "created",
                "active",
            );
            Some("applied".to_owned())
        }
    }
}

// covers: PLG-45
#[test]
fn tokens_have_the_same_status_as_in_the_model() {
    let lives = prop::collection::vec(step(), 1..60);
    let mut runner = TestRunner::new(Config { cases: 96, failure_persistence: None, ..Config::default() });
    let run = runner.run(&lives, |steps| {
        let mut world = subscribed();
        let mut model = Model { paid: Some(1), subscriptions: 1, tokens: Vec::new() };
        for (number, step) in steps.iter().enumerate() {
            let (now, was_paid) = (world.clock(), model.paid);
            if matches!(step, Step::End) && was_paid.is_none() {
                continue;
            }
            let expected = model.expects(step, now);
            let Some(result) = play(&mut world, &mut model, number, step) else { continue };
            prop_assert!(
                result.starts_with(&expected),
                "step {} {:?}: {}, expected {}",
                number,
                step,
                result,
                expected
            );
            if matches!(step, Step::Issue) && result == "applied" {
                let known = tokens(&world).into_iter().map(|(id, _)| id);
                let new = known.filter(|id| model.tokens.iter().all(|token| token.id != *id)).collect::<Vec<_>>();
                prop_assert_eq!(new.len(), 1);
                model.tokens.push(Token { id: new[0].clone(), issued_at: now, revoked: false, redeemed: 0 });
            }
        }
        let now = world.clock();
        for token in &model.tokens {
            let rows = tokens(&world);
            let (_, row) = rows.iter().find(|(id, _)| *id == token.id).expect("a token stays");
            let status = match (token.revoked, Model::is_live(token, now)) {
                (true, _) => "revoked",
                (false, true) => "issued",
                (false, false) => "expired",
            };
            prop_assert_eq!(&row["status"], status, "issued at {}, now {}", token.issued_at - START_MS, now - START_MS);
            prop_assert_eq!(row["redeemed"].as_i64().unwrap_or(0), token.redeemed);
        }
        Ok(())
    });
    if let Err(broken) = run {
        panic!("{broken}");
    }
}
