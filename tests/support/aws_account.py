"""Credentials for Amazon's services, made up."""

ACCESS = "AKIDEXAMPLE"
SECRET = "wJalrXUtnFEMI-EXAMPLE"
SESSION = "session-1"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": ACCESS,
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_SESSION_TOKEN": SESSION,
}
