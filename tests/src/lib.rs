//! Tests of the house itself and of the whole system.
