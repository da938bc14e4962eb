//! 2Bot as data: the figures of the requirements, permissions in organizations, and its products at Stripe.

mod at_stripe;
mod figures;
mod roles;
