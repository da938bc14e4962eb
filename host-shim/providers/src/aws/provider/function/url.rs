//! The public URL of a function and its permissions.

use super::{ABSENT, Functions};
use crate::aws::provider::errors::{InRequest, NoneIf};
use aws_sdk_lambda::types::FunctionUrlAuthType;
use host_provider_api::CallOutcome;
use serde_json::Value;

/// Ids of the policy statements that let everybody call the URL; Lambda requires both.
const MAY_CALL: &str = "public-url";
const MAY_INVOKE: &str = "public-url-invoke";
const CONFLICT: &[&str] = &["ResourceConflictException"];

impl Functions {
    /// Returns the function's URL, if it has one.
    pub(super) async fn url(&self, name: &str) -> Result<Option<String>, CallOutcome> {
        let response = self.client.get_function_url_config().function_name(name).send().await;
        let found = response.in_request("lambda:GetFunctionUrlConfig").none_if(ABSENT)?;
        Ok(found.map(|found| found.function_url))
    }

    /// Ensures that the function has a public URL, and returns it.
    pub(super) async fn open(&self, name: &str) -> Result<String, CallOutcome> {
        let url = match self.url(name).await? {
            Some(url) => url,
            None => {
                let create = self.client.create_function_url_config().function_name(name);
                let response = create.auth_type(FunctionUrlAuthType::None).send().await;
                response.in_request("lambda:CreateFunctionUrlConfig")?.function_url
            }
        };
        let response = self.client.get_policy().function_name(name).send().await;
        let policy =
            response.in_request("lambda:GetPolicy").none_if(ABSENT)?.and_then(|found| found.policy).unwrap_or_default();
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
            // A concurrent call of the same effect may have added the statement.
            add.send().await.in_request("lambda:AddPermission").none_if(CONFLICT)?;
        }
        Ok(url)
    }
}

/// Returns true if a policy in JSON has a statement with this id.
fn has_statement(policy: &str, id: &str) -> bool {
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let statements = policy.get("Statement").and_then(Value::as_array);
    statements.is_some_and(|all| all.iter().any(|one| one.get("Sid").and_then(Value::as_str) == Some(id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_found_by_its_id() {
        let policy = r#"{"Version": "2012-10-17", "Statement": [{"Sid": "public-url", "Effect": "Allow"}]}"#;
        assert!(has_statement(policy, MAY_CALL));
        assert!(!has_statement(policy, MAY_INVOKE));
        for nothing in ["", "{}", "not json", r#"{"Statement": {"Sid": "public-url"}}"#] {
            assert!(!has_statement(nothing, MAY_CALL), "{nothing}");
        }
    }
}
