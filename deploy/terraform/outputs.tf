output "address" {
  description = "Address of the machine"
  value       = aws_eip.server.public_ip
}

output "backups" {
  description = "Bucket of the backups"
  value       = aws_s3_bucket.backups.bucket
}

output "role_arn" {
  description = "Role of the machine"
  value       = aws_iam_role.server.arn
}
