"""What every service stands on: functions to call, no classes to inherit."""
