//! A local Stripe that real clients take for Stripe.
