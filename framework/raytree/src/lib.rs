//! Distributed tasks, actors and objects on one supervision tree.
