resource "aws_instance" "server" {
  ami                    = var.image_id
  instance_type          = var.instance_type
  subnet_id              = data.aws_subnet.server.id
  vpc_security_group_ids = [aws_security_group.server.id]
  iam_instance_profile   = aws_iam_instance_profile.server.name

  # A page of an instance must not reach the keys of the machine.
  metadata_options {
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  root_block_device {
    encrypted   = true
    volume_size = 20
  }

  tags = { Name = var.name }
}

# The data folder is on a disk of its own, which outlives the machine.
resource "aws_ebs_volume" "data" {
  availability_zone = data.aws_subnet.server.availability_zone
  encrypted         = true
  size              = 20
  type              = "gp3"

  tags = { Name = "${var.name}-data" }

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_volume_attachment" "data" {
  device_name = "/dev/sdf"
  volume_id   = aws_ebs_volume.data.id
  instance_id = aws_instance.server.id
}

resource "aws_eip" "server" {
  domain   = "vpc"
  instance = aws_instance.server.id
}

resource "aws_route53_record" "server" {
  zone_id = var.zone_id
  name    = var.host_name
  type    = "A"
  ttl     = 300
  records = [aws_eip.server.public_ip]
}
