//! Work and its bid window, from publication to its end.
