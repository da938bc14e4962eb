resource "random_password" "database" {
  length  = 40
  special = false
}

resource "aws_db_subnet_group" "database" {
  name       = var.name
  subnet_ids = data.aws_subnets.default.ids
}

resource "aws_db_instance" "database" {
  identifier                = "${var.name}-server"
  engine                    = "postgres"
  engine_version            = "16"
  instance_class            = var.database_class
  allocated_storage         = 20
  max_allocated_storage     = 100
  storage_encrypted         = true
  db_name                   = "host"
  username                  = "host"
  password                  = random_password.database.result
  db_subnet_group_name      = aws_db_subnet_group.database.name
  vpc_security_group_ids    = [aws_security_group.database.id]
  publicly_accessible       = false
  backup_retention_period   = 14
  deletion_protection       = true
  skip_final_snapshot       = false
  final_snapshot_identifier = "${var.name}-server-last"
}
