//! rego
