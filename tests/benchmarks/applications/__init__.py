"""What activity costs the requests of an application: the Django example, before and after."""
