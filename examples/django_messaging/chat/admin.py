"""The admin: users are activated and suspended there, too."""
