//! The URL of a function, and who may call it.

use super::{ABSENT, Functions};
use crate::errors::{Told, Unless};
use aws_sdk_lambda::types::FunctionUrlAuthType;
use host_provider_api::CallOutcome;
use serde_json::Value;

/// Statements of the function's policy that let everybody call its URL: Lambda asks for both.
const MAY_CALL: &str = "public-url";
const MAY_INVOKE: &str = "public-url-invoke";
const CONFLICT: &[&str] = &["ResourceConflictException"];

impl Functions {
    /// The function's URL; none if it has none.
    pub(super) async fn url(&self, name: &str) -> Result<Option<String>, CallOutcome> {
        let asked = self.client.get_function_url_config().function_name(name).send().await;
        let found = asked.told("lambda:GetFunctionUrlConfig").unless(ABSENT)?;
        Ok(found.map(|found| found.function_url))
    }

    /// Sees that the function has a URL that everybody may call; the URL.
    pub(super) async fn open(&self, name: &str) -> Result<String, CallOutcome> {
        let url = match self.url(name).await? {
            Some(url) => url,
            None => {
                let create = self.client.create_function_url_config().function_name(name);
                let asked = create.auth_type(FunctionUrlAuthType::None).send().await;
                asked.told("lambda:CreateFunctionUrlConfig")?.function_url
            }
        };
        let asked = self.client.get_policy().function_name(name).send().await;
        let policy = asked.told("lambda:GetPolicy").unless(ABSENT)?.and_then(|found| found.policy).unwrap_or_default();
        for (statement, action) in [(MAY_CALL, "lambda:InvokeFunctionUrl"), (MAY_INVOKE, "lambda:InvokeFunction")] {
            if has_statement(&policy, statement) {
                continue;
            }
            let add = self.client.add_permission().function_name(name).statement_id(statement);
            let add = add.action(action).principal("*");
            let add = match statement {
                MAY_CALL => add.function_url_auth_type(FunctionUrlAuthType::None),
                _ => add.invoked_via_function_url(true),
            };
            // Another call of the same effect may have added it meanwhile.
            add.send().await.told("lambda:AddPermission").unless(CONFLICT)?;
        }
        Ok(url)
    }
}

/// True if a policy, as JSON, has a statement of this id.
fn has_statement(policy: &str, id: &str) -> bool {
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let statements = policy.get("Statement").and_then(Value::as_array);
    statements.is_some_and(|all| all.iter().any(|one| one.get("Sid").and_then(Value::as_str) == Some(id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_found_by_its_id_alone() {
        let policy = r#"{"Version": "2012-10-17", "Statement": [{"Sid": "public-url", "Effect": "Allow"}]}"#;
        assert!(has_statement(policy, MAY_CALL));
        assert!(!has_statement(policy, MAY_INVOKE));
        for nothing in ["", "{}", "not json", r#"{"Statement": {"Sid": "public-url"}}"#] {
            assert!(!has_statement(nothing, MAY_CALL), "{nothing}");
        }
    }
}
