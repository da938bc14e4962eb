//! The component: the library behind the WIT world.
