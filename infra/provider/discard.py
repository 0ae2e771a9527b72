"""The variable that lets a destroy go on without the run; read at that moment, never a setting, never in the state."""

DISCARD = "SONARSTACK_DISCARD_RESULTS"
