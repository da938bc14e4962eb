# The names of the secrets only. An operator puts the values in, so that Terraform's state has none of them but the address of the database.
resource "aws_secretsmanager_secret" "server" {
  for_each = toset(["STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "PROVISIONER_SECRETS_KEY", "B2_KEY_ID", "B2_APP_KEY"])

  name = "${var.name}/${each.key}"
}

resource "aws_secretsmanager_secret" "database" {
  name = "${var.name}/DATABASE_URL"
}

resource "aws_secretsmanager_secret_version" "database" {
  secret_id     = aws_secretsmanager_secret.database.id
  secret_string = "postgres://host:${random_password.database.result}@${aws_db_instance.database.endpoint}/host"
}
