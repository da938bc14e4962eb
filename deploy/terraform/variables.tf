variable "name" {
  description = "Name of the server, and prefix of its resources"
  type        = string
  default     = "solobase"
}

variable "region" {
  description = "Region of the server, and of the instances that it makes"
  type        = string
  default     = "us-east-1"
}

variable "host_name" {
  description = "Host name of the server, for example manage.example.com"
  type        = string
}

variable "zone_id" {
  description = "Route 53 zone of the host name"
  type        = string
}

variable "instance_type" {
  description = "Size of the machine"
  type        = string
  default     = "t4g.small"
}

variable "database_class" {
  description = "Size of the database of the server"
  type        = string
  default     = "db.t4g.micro"
}

variable "image_id" {
  description = "Image of Debian 12 for the region and the processor of the machine"
  type        = string
}

variable "operator_addresses" {
  description = "Networks from which operators reach the shell, such as 192.0.2.0/24; none closes it"
  type        = list(string)
  default     = []
}

variable "function_role_arn" {
  description = "Role of the functions that the server makes"
  type        = string
}

variable "container_role_arns" {
  description = "Roles of the containers that the server makes, with their execution role"
  type        = list(string)
  default     = []
}

variable "resource_names" {
  description = "Patterns of the names of what the server makes; add those that the catalog gives to functions, buckets and containers"
  type        = list(string)
  default     = ["sbp-*"]

  validation {
    condition     = alltrue([for name in var.resource_names : length(split("*", name)[0]) >= 4])
    error_message = "Each pattern needs at least four letters before its *, so that it fits nothing else in the account."
  }
}

variable "function_code_arns" {
  description = "Objects with the code of functions, such as arn:aws:s3:::my-code/*"
  type        = list(string)
  default     = []
}

variable "distribution_zone_ids" {
  description = "Route 53 zones of the host names of distributions; none is the zone of the server"
  type        = list(string)
  default     = []
}
