//! What carries an effect out: the provider trait and the scripted provider.
