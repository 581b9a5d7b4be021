//! Decisions without side effects: supervision, resources, placement.
