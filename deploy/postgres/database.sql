-- One service's role and database; run as a superuser by databases.sh, any number of times.
-- SERVICE and PASSWORD come from the environment, where a list of processes does not show them.
\set ON_ERROR_STOP on
\getenv service SERVICE
\getenv password PASSWORD

-- Nothing of this goes into the server's log: the statements hold the password.
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
SET log_min_duration_statement = -1;

SELECT format('CREATE ROLE %I LOGIN', :'service')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'service') \gexec

ALTER ROLE :"service" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';

-- Sorted by Unicode code points, as the embedded server does: the same order of lists everywhere.
SELECT format(
    'CREATE DATABASE %I OWNER %I TEMPLATE template0 ENCODING ''UTF8'' '
    'LOCALE ''C'' LOCALE_PROVIDER builtin BUILTIN_LOCALE ''C.UTF-8''', :'service', :'service')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'service') \gexec

-- By default everyone may connect to every database: here only its owner.
REVOKE ALL ON DATABASE :"service" FROM PUBLIC;
REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC;
