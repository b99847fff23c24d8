"""docker-compose.yml and deploy/, checked and walked through without Docker."""
