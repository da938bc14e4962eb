# The rights of the server on this account: those that docs/operate/operating.md lists for the provider `aws`, and its own backups and secrets.
data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

data "aws_caller_identity" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id

  # What the server makes has such a name, or else the tag with which it marks everything.
  functions     = [for name in var.resource_names : "arn:aws:lambda:*:${local.account}:function:${name}"]
  buckets       = [for name in var.resource_names : "arn:aws:s3:::${name}"]
  services      = [for name in var.resource_names : "arn:aws:ecs:*:${local.account}:service/*/${name}"]
  target_groups = [for name in var.resource_names : "arn:aws:elasticloadbalancing:*:${local.account}:targetgroup/${name}/*"]
  databases     = [for name in var.resource_names : "arn:aws:rds:*:${local.account}:db:${name}"]
  snapshots     = [for name in var.resource_names : "arn:aws:rds:*:${local.account}:snapshot:${name}"]
  zones         = [for zone in coalescelist(var.distribution_zone_ids, [var.zone_id]) : "arn:aws:route53:::hostedzone/${zone}"]
  mark          = { key = "managed-by", value = "solobase-provisioner" }
}

data "aws_iam_policy_document" "provider" {
  statement {
    sid = "Functions"

    actions = [
      "lambda:GetFunction",
      "lambda:CreateFunction",
      "lambda:UpdateFunctionConfiguration",
      "lambda:UpdateFunctionCode",
      "lambda:DeleteFunction",
      "lambda:GetFunctionUrlConfig",
      "lambda:CreateFunctionUrlConfig",
      "lambda:GetPolicy",
      "lambda:AddPermission",
      "lambda:PutFunctionConcurrency",
      "lambda:GetFunctionConcurrency",
      "lambda:DeleteFunctionConcurrency",
      "lambda:TagResource",
      "lambda:ListTags",
    ]
    resources = local.functions
  }

  statement {
    sid = "Buckets"

    actions = [
      "s3:CreateBucket",
      "s3:DeleteBucket",
      "s3:GetBucketTagging",
      "s3:PutBucketTagging",
      "s3:TagResource",
      "s3:PutBucketPublicAccessBlock",
      "s3:PutEncryptionConfiguration",
      "s3:PutLifecycleConfiguration",
      "s3:PutBucketCORS",
      "s3:PutBucketPolicy",
      "s3:ListBucket",
      "s3:ListBucketVersions",
      "s3:ListBucketMultipartUploads",
    ]
    resources = local.buckets
  }

  statement {
    sid = "Objects"

    actions = [
      "s3:GetObject",
      "s3:PutObject",
      "s3:DeleteObject",
      "s3:DeleteObjectVersion",
      "s3:AbortMultipartUpload",
    ]
    resources = [for bucket in local.buckets : "${bucket}/*"]
  }

  dynamic "statement" {
    for_each = length(var.function_code_arns) == 0 ? [] : [var.function_code_arns]

    content {
      sid       = "CodeOfFunctions"
      actions   = ["s3:GetObject"]
      resources = statement.value
    }
  }

  statement {
    sid       = "NewDistributions"
    actions   = ["cloudfront:CreateDistribution", "cloudfront:TagResource"]
    resources = ["arn:aws:cloudfront::${local.account}:distribution/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/${local.mark.key}"
      values   = [local.mark.value]
    }
  }

  statement {
    sid = "OwnDistributions"

    actions = [
      "cloudfront:GetDistribution",
      "cloudfront:UpdateDistribution",
      "cloudfront:DeleteDistribution",
      "cloudfront:TagResource",
    ]
    resources = ["arn:aws:cloudfront::${local.account}:distribution/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/${local.mark.key}"
      values   = [local.mark.value]
    }
  }

  statement {
    # The server finds its own among all by the tags.
    sid       = "TagsOfDistributions"
    actions   = ["cloudfront:ListTagsForResource"]
    resources = ["arn:aws:cloudfront::${local.account}:distribution/*"]
  }

  statement {
    sid = "Containers"

    actions = [
      "ecs:CreateService",
      "ecs:DescribeServices",
      "ecs:UpdateService",
      "ecs:DeleteService",
      "ecs:TagResource",
    ]
    resources = local.services
  }

  statement {
    sid       = "RevisionsOfContainers"
    actions   = ["ecs:TagResource", "ecs:DeleteTaskDefinitions"]
    resources = [for name in var.resource_names : "arn:aws:ecs:*:${local.account}:task-definition/${name}:*"]
  }

  statement {
    sid = "TargetGroups"

    actions = [
      "elasticloadbalancing:CreateTargetGroup",
      "elasticloadbalancing:ModifyTargetGroup",
      "elasticloadbalancing:DeleteTargetGroup",
      "elasticloadbalancing:AddTags",
    ]
    resources = local.target_groups
  }

  statement {
    sid     = "NewHostsOfContainers"
    actions = ["elasticloadbalancing:CreateRule", "elasticloadbalancing:AddTags"]
    resources = [
      "arn:aws:elasticloadbalancing:*:${local.account}:listener/app/*",
      "arn:aws:elasticloadbalancing:*:${local.account}:listener-rule/app/*",
    ]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/${local.mark.key}"
      values   = [local.mark.value]
    }
  }

  statement {
    sid       = "OwnHostsOfContainers"
    actions   = ["elasticloadbalancing:ModifyRule", "elasticloadbalancing:DeleteRule", "elasticloadbalancing:AddTags"]
    resources = ["arn:aws:elasticloadbalancing:*:${local.account}:listener-rule/app/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/${local.mark.key}"
      values   = [local.mark.value]
    }
  }

  statement {
    sid = "RecordsOfDistributions"

    actions = [
      "route53:GetHostedZone",
      "route53:ListResourceRecordSets",
      "route53:ChangeResourceRecordSets",
    ]
    resources = local.zones
  }

  statement {
    sid       = "ChangesOfRecords"
    actions   = ["route53:GetChange"]
    resources = ["arn:aws:route53:::change/*"]
  }

  statement {
    sid       = "CertificatesOfDistributions"
    actions   = ["acm:DescribeCertificate", "acm:ListTagsForCertificate", "acm:AddTagsToCertificate"]
    resources = ["arn:aws:acm:*:${local.account}:certificate/*"]
  }

  statement {
    sid       = "FirstContainer"
    actions   = ["iam:CreateServiceLinkedRole"]
    resources = ["arn:aws:iam::${local.account}:role/aws-service-role/ecs.amazonaws.com/*"]

    condition {
      test     = "StringEquals"
      variable = "iam:AWSServiceName"
      values   = ["ecs.amazonaws.com"]
    }
  }

  statement {
    sid = "Databases"

    actions = [
      "rds:CreateDBInstance",
      "rds:ModifyDBInstance",
      "rds:StartDBInstance",
      "rds:StopDBInstance",
      "rds:DeleteDBInstance",
      "rds:CreateDBSnapshot",
      "rds:RestoreDBInstanceFromDBSnapshot",
      "rds:AddTagsToResource",
      "rds:ListTagsForResource",
    ]
    resources = concat(local.databases, local.snapshots)
  }

  statement {
    # A new instance is in a subnet group, and has parameters and options.
    sid     = "SettingsOfDatabases"
    actions = ["rds:CreateDBInstance", "rds:ModifyDBInstance", "rds:RestoreDBInstanceFromDBSnapshot"]
    resources = [
      "arn:aws:rds:*:${local.account}:subgrp:*",
      "arn:aws:rds:*:${local.account}:pg:*",
      "arn:aws:rds:*:${local.account}:og:*",
    ]
  }

  statement {
    sid       = "RoleOfFunctions"
    actions   = ["iam:PassRole"]
    resources = concat([var.function_role_arn], var.container_role_arns)

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["lambda.amazonaws.com", "ecs-tasks.amazonaws.com"]
    }
  }

  # AWS knows no narrower resource for these. They list and describe, and the requests that change something here leave a revision of a
  # container or a certificate behind, and nothing else.
  statement {
    sid = "Lists"

    actions = [
      "lambda:ListFunctions",
      "s3:ListAllMyBuckets",
      "cloudfront:ListDistributions",
      "ecs:ListServices",
      "ecs:RegisterTaskDefinition",
      "ecs:DescribeTaskDefinition",
      "ecs:ListTaskDefinitions",
      "ecs:DeregisterTaskDefinition",
      "elasticloadbalancing:DescribeTargetGroups",
      "elasticloadbalancing:DescribeRules",
      "elasticloadbalancing:DescribeTags",
      "acm:RequestCertificate",
      "acm:ListCertificates",
      "rds:DescribeDBInstances",
      "rds:DescribeDBSnapshots",
      "ec2:Describe*",
    ]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "own" {
  statement {
    sid       = "Backups"
    actions   = ["s3:PutObject", "s3:GetObject", "s3:ListBucket"]
    resources = [aws_s3_bucket.backups.arn, "${aws_s3_bucket.backups.arn}/*"]
  }

  # Whoever takes the server over does not destroy its backups: a replaced object stays as an older version, too.
  statement {
    sid    = "BackupsStay"
    effect = "Deny"

    actions = [
      "s3:DeleteBucket",
      "s3:DeleteObject",
      "s3:DeleteObjectVersion",
      "s3:PutBucketPolicy",
      "s3:PutBucketVersioning",
      "s3:PutLifecycleConfiguration",
    ]
    resources = [aws_s3_bucket.backups.arn, "${aws_s3_bucket.backups.arn}/*"]
  }

  statement {
    sid       = "DatabaseStays"
    effect    = "Deny"
    actions   = ["rds:DeleteDBInstance", "rds:ModifyDBInstance", "rds:StopDBInstance"]
    resources = [aws_db_instance.database.arn]
  }

  statement {
    sid       = "Secrets"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = concat([for secret in aws_secretsmanager_secret.server : secret.arn], [aws_secretsmanager_secret.database.arn])
  }
}

resource "aws_iam_role" "server" {
  name               = "${var.name}-server"
  assume_role_policy = data.aws_iam_policy_document.assume.json
}

resource "aws_iam_role_policy" "provider" {
  name   = "provider"
  role   = aws_iam_role.server.id
  policy = data.aws_iam_policy_document.provider.json
}

resource "aws_iam_role_policy" "own" {
  name   = "own"
  role   = aws_iam_role.server.id
  policy = data.aws_iam_policy_document.own.json
}

resource "aws_iam_instance_profile" "server" {
  name = "${var.name}-server"
  role = aws_iam_role.server.name
}
