"""The study of the CNN's hyperparameters: KerasTuner proposes, a fresh process trains."""
