//! Ids, resources, specs, errors, limits and inspection records shared by every floor.
