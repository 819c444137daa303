"""A service on the user's own machine: jobs that are kept from the moment they are accepted."""
